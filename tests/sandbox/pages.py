"""Drives the hosted pages as a browser without scripts would: get the form, post its fields."""

import re
from dataclasses import dataclass, field

import aiohttp

GOOD = "4242 4242 4242 4242"
DECLINED = "4000 0000 0000 0002"
CHARGE_FAILS = "4000 0000 0000 0341"
ASKS = "4000 0025 0000 3155"


@dataclass(slots=True)
class Page:
    """An answer of a hosted page."""

    status: int
    html: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def location(self) -> str | None:
        return self.headers.get("Location")

    @property
    def problem(self) -> str | None:
        found = re.search(r'id="error"[^>]*>([^<]*)<', self.html)
        return None if found is None else found[1].replace("&#39;", "'")


async def visit(address: str, path: str, form: dict[str, str] | None = None) -> Page:
    """GET, or POST where there is a form; redirects are not followed."""
    async with (
        aiohttp.ClientSession(address) as session,
        session.request("GET" if form is None else "POST", path, data=form, allow_redirects=False) as answer,
    ):
        return Page(answer.status, await answer.text(), dict(answer.headers))


def card(number: str, **more: str) -> dict[str, str]:
    """What is typed into the card form."""
    return {"card-number": number, "card-expiry": "12 / 40", "card-cvc": "123", **more}
