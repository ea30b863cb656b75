"""The PDF files: readable by a reader that is not ours, and saying what the API says."""

import re
from urllib.parse import urlsplit

import httpx
import pytest
import stripe

from sandbox.pages.pdf import Line, document
from tests.sandbox.billed import customer_with

PLATFORM = "acct_1Sandb0xPlatform"


def objects_of(content: bytes) -> dict[int, bytes]:
    """The objects where the cross-reference table says that they are; fails where it is wrong."""
    start = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", content)[1])  # type: ignore[index]
    head, count = re.match(rb"xref\n0 (\d+)\n", content[start:]), 0
    assert head is not None
    count = int(head[1])
    found = {}
    for number in range(1, count):
        place = int(content[start + head.end() + 20 * number :][:10])
        begun = re.match(rb"(\d+) 0 obj\n", content[place:])
        assert begun is not None
        assert int(begun[1]) == number
        found[number] = content[place + begun.end() : content.index(b"\nendobj", place)]
    return found


def texts_of(content: bytes) -> list[str]:
    streams = [body for body in objects_of(content).values() if b"stream\n" in body]
    for body in streams:
        length = int(re.search(rb"/Length (\d+)", body)[1])  # type: ignore[index]
        assert len(body.split(b"stream\n", 1)[1].removesuffix(b"\nendstream")) == length
    found = re.findall(rb"\(((?:\\.|[^()\\])*)\) Tj", b"\n".join(streams))
    return [re.sub(rb"\\(.)", rb"\1", one).decode("cp1252") for one in found]


def test_signs_that_mean_something_in_a_pdf_are_only_text() -> None:
    text = "a (b) \\ c) €5 ü 漢"
    content = document("T (1", [Line(text, "1)", rule=True)])
    assert texts_of(content) == ["a (b) \\ c) €5 ü ?", "1)"]


@pytest.mark.parametrize(("lines", "pages"), [(1, 1), (40, 1), (200, 5)])
def test_long_documents_have_more_pages(lines: int, pages: int) -> None:
    content = document("Long", [Line(f"line {number}") for number in range(lines)])
    assert len(texts_of(content)) == lines
    assert content.count(b"/Type /Page ") == pages
    assert b"/Count %d " % pages in content


async def test_an_invoice_and_its_credit_note(client: stripe.StripeClient, address: str) -> None:
    customer = await customer_with(client, name="Ada (Ltd)")
    vat = await client.v1.tax_rates.create_async({"display_name": "VAT", "percentage": 20, "inclusive": False})
    invoice = await client.v1.invoices.create_async({"customer": customer, "default_tax_rates": [vat.id]})
    await client.v1.invoices.add_lines_async(
        invoice.id, {"lines": [{"amount": 123_456, "description": "Licence (1 year)"}]}
    )
    async with httpx.AsyncClient(base_url=address) as browser:
        assert invoice.invoice_pdf is None
        assert (await browser.get(f"/i/{PLATFORM}/{invoice.id}/pdf")).status_code == 404
        done = await client.v1.invoices.finalize_invoice_async(invoice.id)
        assert done.invoice_pdf is not None
        answer = await browser.get(urlsplit(done.invoice_pdf).path)
        assert answer.headers["content-type"] == "application/pdf"
        texts = texts_of(answer.content)
        assert f"Invoice {done.number}" in texts
        assert {"Ada (Ltd)", "Licence (1 year)", "$1,234.56", "$246.91", "$1,481.47"} <= set(texts)
        note = await client.v1.credit_notes.create_async({"invoice": invoice.id, "amount": 1_000, "memo": "Sorry"})
        shown = texts_of((await browser.get(urlsplit(note.pdf).path)).content)
        assert {f"Credit note {note.number}", "$10.00", "Sorry"} <= set(shown)
