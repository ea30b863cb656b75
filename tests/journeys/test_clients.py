"""The snippets of docs/clients.md run as they stand, in Python and in TypeScript, against the running product."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import reading
from tests.journeys.test_paying import Payer
from tests.support.demo import Demo
from tests.support.node import EXAMPLE, NODE

pytestmark = pytest.mark.slow

DOCUMENT = reading.text("docs/clients.md")
# The strictest that a reader's project may have: what the snippets need they declare or import.
STRICT = {
    "compilerOptions": {
        "target": "es2023",
        "module": "esnext",
        "moduleResolution": "bundler",
        "strict": True,
        "noUncheckedIndexedAccess": True,
        "noEmit": True,
        "skipLibCheck": True,
        "types": [],
    },
    "include": ["clients.mts"],
}
# How lines of both begin, in order; names of plans and amounts aside.
PRINTED = """role PARTNER
complete true
once true
IDEMPOTENCY_KEY_REUSED idempotencyKey
INVALID_INPUT email
refused TOKEN_MALFORMED
role CUSTOMER
ended UNAUTHENTICATED
setup seti_
detached true
4242 ACTIVE false
0341 INCOMPLETE true
3184 INCOMPLETE true
pay null generic_decline
pay PAID
quantity 3
cancel true false
pages OPEN true
read Mary W. Jackson of 20
live Mary W. Jackson
event true
audit apiTokenRevoke apiTokenRotate
batch 1 1
persisted true true""".splitlines()


def _environment(demo: Demo) -> dict[str, str]:
    """What the first block of the document reads: a customer with saved cards, of which two can't just be charged."""
    payer = Payer(demo)
    for card in ("visa", "mastercard", "chargeCustomerFail", "authenticationRequired"):
        payer.card(f"pm_card_{card}")
    tenant = demo.tenant()
    return {
        "GATEWAY": demo.told["gateway"],
        "PARTNER_KEY": tenant["partner_key"],
        "ADMIN_KEY": tenant["admin_key"],
        "CUSTOMER": payer.id,
        "PLAN": payer.plan,
    }


def _run(arguments: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _compare(lines: list[str], printed: str) -> None:
    left = iter(lines)
    assert [wanted for wanted in PRINTED if not any(line.startswith(wanted) for line in left)] == [], printed


def test_the_python_snippets_run(demo: Demo, tmp_path: Path) -> None:
    script = tmp_path / "clients.py"
    script.write_text("\n".join(reading.snippets(DOCUMENT, "python")), "utf-8")
    printed = _run([sys.executable, "-W", "error", str(script)], tmp_path, _environment(demo))
    words = {"True": "true", "False": "false", "None": "null"}
    lines = [" ".join(words.get(word, word) for word in line.split()) for line in printed.splitlines()]
    _compare(lines, printed)


def test_the_typescript_snippets_are_strict_and_run(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "clients.mts").write_text("\n".join(reading.snippets(DOCUMENT, "ts")), "utf-8")
    (tmp_path / "tsconfig.json").write_text(json.dumps(STRICT), "utf-8")
    (tmp_path / "node_modules").symlink_to(EXAMPLE / "node_modules")
    _run([str(NODE), "node_modules/typescript/bin/tsc", "--project", "."], tmp_path, {})
    printed = _run([str(NODE), "clients.mts"], tmp_path, _environment(demo))
    _compare(printed.splitlines(), printed)
