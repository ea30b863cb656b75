"""Takes each barrier of the isolation away in turn and tells whether a test turns red: `make barriers`."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
STORAGE = "tests/storage/test_isolation.py"
MATRIX = "tests/gateway/test_matrix.py"
HTTP = "tests/gateway/test_graphql_http.py"
SIGNATURES = "tests/gateway/test_signatures.py"
ACCESS = "tests/tenants/test_access.py"
AUTH = "tests/tenants/test_auth.py"
LIVE = "tests/gateway/test_live.py"
CHAIN = "tests/compliance/test_chain.py"


@dataclass(frozen=True)
class Barrier:
    """A piece of a file, and what it would be without the barrier; `tests` are where somebody should notice."""

    name: str
    file: str
    there: str
    gone: str
    tests: str


BARRIERS = (
    Barrier(
        "row-level security on the mirror",
        "migrations/0001_initial.sql",
        "using (%I = nullif(current_setting(''app.tenant'', true), '''')::bigint)",
        "using (%I is not null or current_setting(''app.tenant'', true) = '''')",
        STORAGE,
    ),
    Barrier(
        "row-level security on what came later",
        "migrations/0004_access_and_audit.sql",
        "using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::bigint)",
        "using (true)",
        STORAGE,
    ),
    Barrier(
        "the tenant bound to each connection",
        "storage/tenant_client.py",
        "if (tenant := bound_tenant()) is not None:",
        "if (tenant := bound_tenant()) is not None and tenant % 2:",
        f"{MATRIX} -k interleaved",
    ),
    Barrier(
        "a transaction's own tenant",
        "storage/tenant_client.py",
        "if bound_tenant() != self._tenant:",
        "if False:",
        "tests/storage",
    ),
    Barrier(
        "the tenant in every statement",
        "mirror/queries.py",
        'f"tenant_id = {self.bind(view.tenant)}",',
        'f"{self.bind(view.tenant)}::bigint is not null",',
        "tests/mirror/test_queries.py",
    ),
    Barrier(
        "a customer's own space of keys",
        "billing/operations.py",
        'return self.caller.customer or ""',
        'return ""',
        "tests/billing/test_operations.py",
    ),
    Barrier(
        "the customer's part",
        "mirror/queries.py",
        '_OWNER: Mapping[str, str] = {"customers": "stripe_id"} | dict.fromkeys(_OWNED, "customer_id")',
        "_OWNER: Mapping[str, str] = {}",
        f"{MATRIX} -k every_read",
    ),
    Barrier(
        "whose mutation it is",
        "resolvers/permission.py",
        "if asked is None or (own is not None and asked != own):",
        "if asked is None:",
        "tests/resolvers",
    ),
    Barrier(
        "an id names its type",
        "schema/ids.py",
        "return found.stripe_id if found.type == type_ else None",
        "return found.stripe_id",
        "tests/resolvers",
    ),
    Barrier(
        "fields that a signature hides",
        "gateway/signatures.py",
        "if self._signature.sees(access_of(each)):",
        "if True:",
        SIGNATURES,
    ),
    Barrier(
        "the mutation's own check",
        "resolvers/permission.py",
        "if not declared.allows_caller(caller):",
        "if False:",
        SIGNATURES,
    ),
    Barrier(
        "the tenant in the key of kept plans",
        "resolvers/reads.py",
        'space = f"plans:{context.caller.tenant.id}:{context.caller.livemode}"',
        'space = f"plans:{context.caller.livemode}"',
        "tests/gateway/test_endpoint.py -k kept_plans",
    ),
    Barrier(
        "masked failures",
        "gateway/graphql.py",
        'shown["message"] = "Something went wrong here. It was logged under this request\'s id."',
        "pass",
        "tests/gateway/test_endpoint.py",
    ),
    Barrier(
        "the page's origin", "gateway/origins.py", "if origin not in caller.tenant.cors_origins:", "if False:", HTTP
    ),
    Barrier(
        "the tenant in the key of sent documents",
        "gateway/persisted.py",
        "found = found or self.sent.get(caller.tenant.id, asked.hash)",
        "found = found or next((mine[asked.hash] for mine in self.sent._of.values() if asked.hash in mine), None)",
        HTTP,
    ),
    Barrier("the key's mode", "tenants/auth.py", 'or row["livemode"] != key.livemode', "", AUTH),
    Barrier("the tenant's mode", "tenants/auth.py", "if tenant.livemode != key.livemode:", "if False:", AUTH),
    Barrier("the secret's hash", "tenants/auth.py", 'not key.matches(row["secret_hash"])', "False", AUTH),
    Barrier(
        "the key's end",
        "tenants/auth.py",
        'if row["expires_at"] and row["expires_at"] <= datetime.now(UTC):',
        "if False:",
        AUTH,
    ),
    Barrier(
        "ended sessions",
        "tenants/auth.py",
        "return ended is not None and session.issued < ended",
        "return False",
        ACCESS,
    ),
    Barrier("the session's audience", "tenants/sessions.py", ' or claims.get("aud") != AUDIENCE', "", ACCESS),
    Barrier(
        "the provider's audience",
        "migrations/0004_access_and_audit.sql",
        "where p.issuer = wanted_issuer and p.audience = any (wanted_audiences)",
        "where p.issuer = wanted_issuer",
        ACCESS,
    ),
    Barrier(
        "the provider's algorithms", "tenants/providers.py", "algorithms=allowed", "algorithms=list(ALGORITHMS)", ACCESS
    ),
    Barrier(
        "addresses of our own network",
        "tenants/safe_fetch.py",
        "if not private and not is_public(str(literal)):",
        "if False:",
        "tests/tenants/test_safe_fetch.py",
    ),
    Barrier(
        "live tokens looked at again",
        "gateway/live.py",
        "if self._caller is not None and not await self.admission.still(",
        "if self._caller is None and not await self.admission.still(",
        f"{LIVE} -k outlive",
    ),
    Barrier(
        "live changes of one tenant",
        "storage/feed.py",
        "self.learn(dict.fromkeys(map(tuple, scopes), number))",
        "self.learn({(each, scope): number for _, scope in scopes for each, _ in list(self._known)})",
        f"{LIVE} -k another_tenant",
    ),
    Barrier(
        "a key's maker",
        "resolvers/tokens.py",
        "if not wanted or not wanted <= caller.scopes:",
        "if False:",
        "tests/gateway/test_keys.py",
    ),
    Barrier(
        "plans that are offered",
        "schema/types.py",
        "if row is None or (offered and not _is_offered(row, info)):",
        "if row is None:",
        "tests/gateway/test_endpoint.py -k offered",
    ),
    Barrier(
        "secrets in events",
        "webhooks/inbox.py",
        "payload=_without_secrets(event, payload).decode(),",
        "payload=payload.decode(),",
        "tests/webhooks/test_app.py -k opens",
    ),
    Barrier(
        "secrets in logs",
        "observability/logs.py",
        "return _SECRETS.sub(HIDDEN, text)",
        "return text",
        "tests/observability",
    ),
    Barrier(
        "an administrator's reads in the audit log",
        "resolvers/permission.py",
        'action=info.field_name, outcome="read"',
        'action="x", outcome="read"',
        "tests/gateway/test_audit_entries.py",
    ),
    Barrier(
        "tokens in addresses",
        "resolvers/sessions.py",
        "if _TOKEN.search(unquote(text)):",
        "if False:",
        "tests/journeys/test_paying.py -k address",
    ),
    Barrier(
        "the customer's own changes",
        "gateway/execution.py",
        "return revisions.customer_scope(caller.customer, livemode=caller.livemode), catalog",
        "return revisions.EVERYTHING, catalog",
        f"{LIVE} -k customer_hears",
    ),
    Barrier(
        "the hash before in the chain",
        "compliance/chain.py",
        "hashlib.sha256(before + orjson",
        "hashlib.sha256(orjson",
        CHAIN,
    ),
)


def moved() -> list[str]:
    """The barriers whose piece of the code is not where it was, and so would not be taken away."""
    return [each.name for each in BARRIERS if each.there not in (ROOT / each.file).read_text("utf-8")]


def red(barrier: Barrier, folder: Path) -> bool:
    """Whether the tests fail without the barrier."""
    path = folder / barrier.file
    text = path.read_text("utf-8")
    path.write_text(text.replace(barrier.there, barrier.gone), "utf-8")
    try:
        command = f"{sys.executable} -m pytest -q -x -p no:cacheprovider --basetemp={folder}/tmp {barrier.tests}"
        environment = os.environ | {"PYTHONPATH": str(folder), "INTERLEAVED": "300"}
        done = subprocess.run(
            command, shell=True, cwd=folder, env=environment, capture_output=True, timeout=600, check=False
        )
        return done.returncode == 1
    finally:
        path.write_text(text, "utf-8")


def main() -> int:
    """Print each barrier and the score; 0 where every one was missed by some test."""
    if moved():
        raise SystemExit(f"not where they were: {moved()}")
    with tempfile.TemporaryDirectory(prefix="barriers-") as name:
        folder = Path(name)
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
        for file in listed.stdout.splitlines():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, folder / file)
        noticed = 0
        for barrier in BARRIERS:
            found = red(barrier, folder)
            noticed += found
            print(f"{'red  ' if found else 'GREEN'} {barrier.name}", flush=True)
    print(f"{noticed} of {len(BARRIERS)} barriers are missed by a test when they are gone")
    return 0 if noticed == len(BARRIERS) else 1


if __name__ == "__main__":
    sys.exit(main())
