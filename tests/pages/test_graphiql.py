"""GraphiQL's page, policy and static files, without a browser."""

import json
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pages import graphiql
from pages.graphiql import MAX_EXAMPLES, Example

NONCE = "n" * 32


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    """A folder as the build leaves it."""
    names = ["main-AAAA2222.js", "main-BBBB3333.css"]
    for name in names:
        (tmp_path / name).write_text("/* built */")
    manifest = {"inputs": "0", "script": names[0], "style": names[1], "files": names}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


def client(assets: Path, *examples: Example) -> httpx.AsyncClient:
    async def page(_: Request) -> Response:
        return graphiql.respond(endpoint="/graphql", examples=examples, assets=assets)

    app = Starlette(routes=[Route("/graphiql", page), graphiql.static_files(assets)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


def config_of(html: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', html, re.DOTALL)
    assert found, "the page has no configuration"
    config: dict[str, object] = json.loads(found.group(1))
    return config


def test_the_page_names_the_built_files_and_hands_over_endpoint_and_examples(assets: Path) -> None:
    example = Example("One customer", "\nquery Q($id: ID!) { node(id: $id) { id } }\n", {"id": "ü"})
    html = graphiql.render(endpoint="/graphql", nonce=NONCE, examples=[example], assets=assets)
    assert 'src="/assets/graphiql/main-AAAA2222.js"' in html
    assert 'href="/assets/graphiql/main-BBBB3333.css"' in html
    query = "query Q($id: ID!) { node(id: $id) { id } }"
    tab = {"name": "One customer", "query": query, "variables": '{\n  "id": "ü"\n}'}
    assert config_of(html) == {"endpoint": "/graphql", "examples": [tab]}


def test_an_example_cannot_break_out_of_the_configuration(assets: Path) -> None:
    hostile = "</script><script>alert(1)</script>"
    html = graphiql.render(endpoint="/graphql", nonce=NONCE, examples=[Example(hostile, hostile)], assets=assets)
    assert "alert(1)</script>" not in html
    assert config_of(html)["examples"] == [{"name": hostile, "query": hostile, "variables": ""}]


def test_every_inline_element_carries_the_nonce(assets: Path) -> None:
    html = graphiql.render(endpoint="/graphql", nonce=NONCE, examples=[], assets=assets)
    elements = re.findall(r"<(?:script|style)\b[^>]*>", html)
    assert len(elements) == 3
    assert all(f'nonce="{NONCE}"' in element for element in elements)


@pytest.mark.parametrize("endpoint", ["https://elsewhere.example/graphql", "//elsewhere.example", "/\\elsewhere", ""])
def test_an_endpoint_on_another_origin_is_refused(endpoint: str, assets: Path) -> None:
    with pytest.raises(ValueError, match="a path on this origin"):
        graphiql.render(endpoint=endpoint, nonce=NONCE, examples=[], assets=assets)


def test_more_examples_than_the_menu_holds_are_refused(assets: Path) -> None:
    examples = [Example(str(number), "{ __typename }") for number in range(MAX_EXAMPLES + 1)]
    with pytest.raises(ValueError, match="at most 50 examples"):
        graphiql.render(endpoint="/graphql", nonce=NONCE, examples=examples, assets=assets)


def test_the_policy_allows_this_origin_and_the_nonce_and_no_eval() -> None:
    policy = dict(part.split(" ", 1) for part in graphiql.content_security_policy(NONCE).split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": f"'self' 'nonce-{NONCE}'",
        "style-src": f"'self' 'nonce-{NONCE}'",
        "style-src-attr": "'unsafe-inline'",
        "connect-src": "'self'",
        "worker-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


@pytest.mark.parametrize("nonce", ["", "short", "x" * 16 + "'; script-src *", "x" * 16 + "\n", "x" * 129])
def test_a_nonce_that_could_change_the_policy_is_refused(nonce: str, assets: Path) -> None:
    with pytest.raises(ValueError, match="a nonce has"):
        graphiql.content_security_policy(nonce)
    with pytest.raises(ValueError, match="a nonce has"):
        graphiql.render(endpoint="/graphql", nonce=nonce, examples=[], assets=assets)


async def test_each_answer_has_a_nonce_of_its_own_in_page_and_policy(assets: Path) -> None:
    async with client(assets) as browser:
        answers = [await browser.get("/graphiql") for _ in range(2)]
    nonces = [re.findall(r"'nonce-([^']+)'", answer.headers["content-security-policy"])[0] for answer in answers]
    assert nonces[0] != nonces[1]
    for answer, nonce in zip(answers, nonces, strict=True):
        assert answer.status_code == 200
        assert f'nonce="{nonce}"' in answer.text
        assert answer.headers["cache-control"] == "no-store"


async def test_without_built_assets_the_page_says_what_to_run(tmp_path: Path) -> None:
    async with client(tmp_path / "absent") as browser:
        answer = await browser.get("/graphiql")
    assert answer.status_code == 503
    assert "<code>make setup</code>" in answer.text
    assert "/assets/" not in answer.text


async def test_hashed_files_are_cached_for_ever_and_others_are_not(assets: Path) -> None:
    async with client(assets) as browser:
        hashed = await browser.get("/assets/graphiql/main-AAAA2222.js")
        manifest = await browser.get("/assets/graphiql/manifest.json")
    assert hashed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert hashed.headers["content-security-policy"] == "default-src 'none'"
    assert hashed.headers["x-content-type-options"] == "nosniff"
    assert manifest.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("folder", [".", "absent"])
async def test_a_missing_file_is_not_found_whether_or_not_anything_is_built(folder: str, assets: Path) -> None:
    async with client(assets / folder) as browser:
        assert (await browser.get("/assets/graphiql/other-CCCC4444.js")).status_code == 404
