"""Turns templates into answers, with the headers that keep a page to itself."""

from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox.pages.money import money

_templates = Environment(
    loader=PackageLoader("sandbox.pages"),
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["money"] = money


def render(
    name: str, *, status: int = 200, leads_to: str | None = None, framed: bool = False, **values: object
) -> Response:
    """A page, `framed` where another site may show it inside its own.

    `leads_to` is the address that its form may send the browser on to (browsers check that).
    """
    return Response(template(name, **values), status, _headers(leads_to, framed=framed), "text/html")


def template(name: str, **values: object) -> str:
    """The HTML of a template, for pages that need headers of their own."""
    return _templates.get_template(name).render(**values)


def redirect(address: str, leads_to: str | None = None) -> Response:
    """See another page, with GET."""
    return RedirectResponse(address, 303, {**_headers(leads_to)})


def not_found() -> Response:
    """What an address with an unknown id answers."""
    return render("message.html", status=404, title="Page not found", text="This link is not valid, or it has expired.")


async def stylesheet(_: Request) -> Response:
    """The one style sheet of all pages."""
    source = _templates.loader.get_source(_templates, "sandbox.css")[0] if _templates.loader else ""
    return Response(source, headers={"Cache-Control": "max-age=300"}, media_type="text/css")


def _headers(leads_to: str | None, *, framed: bool = False) -> dict[str, str]:
    # The target of a redirect after a form counts as the form's target.
    split = urlsplit(leads_to or "")
    target = f" {split.scheme}://{split.netloc}" if split.scheme in {"http", "https"} and split.netloc else ""
    ancestors = "*" if framed else "'none'"
    policy = (
        "default-src 'none'; style-src 'self'; img-src data:; "
        f"form-action 'self'{target}; frame-ancestors {ancestors}; base-uri 'none'"
    )
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
