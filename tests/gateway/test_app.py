"""What no route answers is refused in the form of every other refusal, with the headers of security."""

import httpx
import pytest

from gateway.app import create_app
from gateway.settings import Settings


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "NOT_FOUND"),
        ("GET", "/graphiql/nothing.js", 404, "NOT_FOUND"),
        ("DELETE", "/graphql", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/livez", 405, "METHOD_NOT_ALLOWED"),
    ],
)
async def test_what_is_not_there_is_refused_like_anything_else(method: str, path: str, status: int, code: str) -> None:
    transport = httpx.ASGITransport(create_app(Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (status, code)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert ("allow" in answer.headers) is (status == 405)
