"""Registers the sidecar at the sandbox: a Connect endpoint and a platform endpoint, made once and reused."""

from typing import Any, Final

import aiohttp

from gateway.run_secrets import Endpoint, RunSecrets
from gateway.user_error import UserError

PATH: Final = "/webhooks/stripe"
_MARK: Final = "gateway run"


async def ensure_endpoints(secrets: RunSecrets, *, sandbox: str, sidecar: str) -> RunSecrets:
    """The secrets with both endpoints as the sandbox knows them now; left-over ones of ours are deleted there."""
    url = f"{sidecar}{PATH}"
    auth = {"Authorization": f"Bearer {secrets.sandbox_key}"}
    async with aiohttp.ClientSession(sandbox, headers=auth, timeout=aiohttp.ClientTimeout(total=10)) as http:
        listed = await _call(http, "GET", "/v1/webhook_endpoints?limit=100")
        ours = {each["id"]: each for each in listed["data"] if each.get("description") == _MARK}
        kept = [
            endpoint
            for endpoint in (secrets.connect, secrets.platform)
            if endpoint and endpoint.url == url and _is_good(ours.get(endpoint.id), url)
        ]
        if len(kept) == 2:
            return secrets
        # one of them is missing or points elsewhere: two fresh ones are simpler than a repair
        for identifier in ours:
            await _call(http, "DELETE", f"/v1/webhook_endpoints/{identifier}")
        connect = await _create(http, url, connect=True)
        platform = await _create(http, url, connect=False)
    return secrets.with_endpoints(connect=connect, platform=platform)


def _is_good(found: dict[str, Any] | None, url: str) -> bool:
    return found is not None and found["url"] == url and found["status"] == "enabled"


async def _create(http: aiohttp.ClientSession, url: str, *, connect: bool) -> Endpoint:
    form = {"url": url, "enabled_events[0]": "*", "description": _MARK, "connect": str(connect).lower()}
    made = await _call(http, "POST", "/v1/webhook_endpoints", form)
    return Endpoint(id=made["id"], url=url, secret=made["secret"])


async def _call(
    http: aiohttp.ClientSession, method: str, path: str, form: dict[str, str] | None = None
) -> dict[str, Any]:
    async with http.request(method, path, data=form) as answer:
        body: dict[str, Any] = await answer.json()
        if answer.status != 200:
            message = body.get("error", {}).get("message", f"HTTP {answer.status}")
            raise UserError(f"the sandbox refused {method} {path}: {message}")
        return body
