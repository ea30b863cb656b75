"""The GraphiQL page: its HTML, its Content-Security-Policy and its static files; nothing comes from a CDN."""

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

ASSETS = Path(__file__).parent / "static" / "graphiql"
ASSETS_URL = "/assets/graphiql"
MAX_EXAMPLES = 50

_HASHED_NAME = re.compile(r"-[0-9A-Z]{8}\.(js|css)$")
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,128}")
_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)


@dataclass(frozen=True)
class Example:
    """An operation that the page offers: `name` in the menu, and the variables it starts with."""

    name: str
    query: str
    variables: Mapping[str, Any] = field(default_factory=dict)


def respond(*, endpoint: str, examples: Sequence[Example] = (), assets: Path = ASSETS) -> HTMLResponse:
    """Answer with the page and all its headers; 503 and what to run where the assets are not built."""
    nonce = secrets.token_urlsafe(24)
    return HTMLResponse(
        render(endpoint=endpoint, nonce=nonce, examples=examples, assets=assets),
        status_code=200 if _manifest(assets) else 503,
        headers={
            "Content-Security-Policy": content_security_policy(nonce),
            "Cache-Control": "no-store",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )


def render(*, endpoint: str, nonce: str, examples: Sequence[Example], assets: Path = ASSETS) -> str:
    """Return the page's HTML; where the assets are not built, a page that says what to run.

    `endpoint` is a path on this origin: the policy lets the page connect to nothing else.
    """
    if not re.match(r"/(?![/\\])", endpoint):
        raise ValueError(f"the endpoint has to be a path on this origin, like /graphql, not {endpoint!r}")
    if len(examples) > MAX_EXAMPLES:
        raise ValueError(f"at most {MAX_EXAMPLES} examples fit into the menu, not {len(examples)}")
    manifest = _manifest(assets)
    config = {"endpoint": endpoint, "examples": [_tab(example) for example in examples]}
    return _TEMPLATES.get_template("graphiql.html").render(
        assets_url=ASSETS_URL, config=config, manifest=manifest, nonce=_checked(nonce)
    )


def content_security_policy(nonce: str) -> str:
    """Return the page's policy: this origin only, inline code only with the nonce, no eval, no CDN.

    Style attributes stay allowed because Monaco places every line of the editor by one.
    """
    _checked(nonce)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}'",
            f"style-src 'self' 'nonce-{nonce}'",
            "style-src-attr 'unsafe-inline'",
            "connect-src 'self'",
            "worker-src 'self'",
            "img-src 'self' data:",
            "font-src 'self' data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def static_files(assets: Path = ASSETS) -> Mount:
    """Return the mount of the built assets; a name with a hash in it may be cached for ever."""
    return Mount(ASSETS_URL, app=_Assets(directory=assets, check_dir=False), name="graphiql-assets")


class _Assets(StaticFiles):
    async def check_config(self) -> None:
        """Accept a missing folder: before the build, each file is simply not found."""

    def file_response(self, full_path: Any, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(full_path, *args, **kwargs)
        hashed = _HASHED_NAME.search(Path(full_path).name)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if hashed else "no-cache"
        # A worker obeys the policy of its own script: Monaco's need nothing from the network.
        response.headers["Content-Security-Policy"] = "default-src 'none'"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def _manifest(assets: Path) -> dict[str, Any] | None:
    try:
        manifest: dict[str, Any] = json.loads((assets / "manifest.json").read_bytes())
    except FileNotFoundError:
        return None
    return manifest


def _tab(example: Example) -> dict[str, str]:
    """Give the texts as the editors show them."""
    variables = json.dumps(example.variables, indent=2, ensure_ascii=False) if example.variables else ""
    return {"name": example.name, "query": example.query.strip(), "variables": variables}


def _checked(nonce: str) -> str:
    if not _NONCE.fullmatch(nonce):
        raise ValueError("a nonce has 16 to 128 characters, each a letter, a digit, '-' or '_'")
    return nonce
