"""What was secret for a moment is kept nowhere: not in logs, not in the database's files, not in a dump of it."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from storage.embedded_install import binaries
from tests.support.demo import Demo

pytestmark = pytest.mark.slow

ISSUE = 'mutation { apiTokenIssue(input: { name: "key" }) { token apiToken { publicId } errors { code } } }'
ROTATE = "mutation ($id: String!) { apiTokenRotate(input: { publicId: $id }) { token errors { code } } }"
CUSTOMER = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
MINT = "mutation ($id: ID!) { customerTokenCreate(input: { customer: $id }) { token } }"
SETUP = "mutation ($id: ID!) { setupIntentCreate(input: { customer: $id }) { clientSecret } }"
PORTAL = """mutation ($id: ID!) {
  portalSessionCreate(input: { customer: $id, returnUrl: "https://example.com/" }) { url } }"""


def _secrets(demo: Demo) -> Iterator[str]:
    """Everything secret that the API hands out, with a use of each, good and bad, so that it has been everywhere."""
    admin, partner = demo.tenant()["admin_key"], demo.tenant()["partner_key"]
    issued = demo.ask(admin, ISSUE)["apiTokenIssue"]
    rotated = demo.ask(admin, ROTATE, {"id": issued["apiToken"]["publicId"]})["apiTokenRotate"]
    mail = f"{uuid4().hex}@customers.example"
    customer = demo.ask(partner, CUSTOMER, {"input": {"email": mail}})["customerCreate"]["customer"]["id"]
    session = demo.ask(partner, MINT, {"id": customer})["customerTokenCreate"]["token"]
    for token in (issued["token"], rotated["token"], session):
        demo.ask(token, "{ viewer { role } }")
        demo.send(token[:-1] + ("a" if token[-1] != "a" else "b"), "{ viewer { role } }")
        demo.send(token, '{ customer(id: "%s") { nothing } }' % token)  # noqa: UP031 (braces)
        httpx.get(demo.told["graphql"], params={"query": "{ viewer { role } }"}, headers={"authorization": token})
        yield token
        yield token.split("_")[-1] if token.startswith("bgw_") else token.split(".")[-1]
    yield demo.ask(partner, SETUP, {"id": customer})["setupIntentCreate"]["clientSecret"]
    yield demo.ask(partner, PORTAL, {"id": customer})["portalSessionCreate"]["url"]


def _database_folder(demo: Demo) -> Path:
    (found,) = {path.parent for path in demo.folder.rglob("PG_VERSION") if (path.parent / "postgresql.conf").exists()}
    return found


def _dump(folder: Path) -> str:
    """Every database as SQL, as an operator's backup has it."""
    pid_file = (folder / "postmaster.pid").read_text().splitlines()
    passwords = (folder.parent / "postgres-passwords.json").read_text()
    assert '"postgres"' in passwords
    environment = os.environ | {"PGPASSWORD": json.loads(passwords)["postgres"]}
    command = [str(binaries() / "pg_dumpall"), "-h", pid_file[4] or "127.0.0.1", "-p", pid_file[3], "-U", "postgres"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_secret_is_in_logs_files_or_dumps(demo: Demo) -> None:
    secrets = [secret.encode() for secret in _secrets(demo)]
    assert len(set(secrets)) == 8
    partner = demo.tenant()["partner_key"]
    folder = _database_folder(demo)
    dump = _dump(folder)
    assert "COPY public.api_tokens" in dump  # it is the whole database
    assert demo.ask(partner, "{ viewer { tenant { slug } } }")["viewer"]["tenant"]["slug"] in dump
    assert [secret for secret in secrets if secret in dump.encode()] == []
    log = (demo.folder / "log").read_bytes()
    assert b"gateway  |" in log
    assert [secret for secret in secrets if secret in log] == []
    looked = 0
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            looked += len(content)
            assert [secret for secret in secrets if secret in content] == [], path
    print(f"{len(secrets)} secrets are in none of {looked / 2**20:.0f} MiB of the database's files, nor in dump or log")
