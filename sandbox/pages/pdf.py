"""Writes a plain PDF of text lines: one font, as many A4 pages as needed, enough for invoices and credit notes."""

from dataclasses import dataclass

WIDTH, HEIGHT = 595, 842
LEFT, RIGHT, TOP, BOTTOM = 56, 539, 780, 64
LEADING = 1.6
# Helvetica's widths of the digits and signs in amounts, in thousandths; everything else is set from the left.
_WIDTHS = {",": 278, ".": 278, "-": 333, " ": 278, "$": 556, "€": 556, "£": 556}
_DIGIT, _CAPITAL = 556, 700


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, with something at the right edge; `size` in points; a rule under it where asked."""

    text: str
    right: str = ""
    size: int = 10
    bold: bool = False
    rule: bool = False


def document(title: str, lines: list[Line]) -> bytes:
    """The bytes of a PDF file, the same for the same lines."""
    pages = _pages(lines)
    kids = " ".join(f"{7 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Lang (en) >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>".encode(),
        _font("Helvetica"),
        _font("Helvetica-Bold"),
        b"<< /Font << /F1 3 0 R /F2 4 0 R >> >>",
        b"<< /Title (" + _escaped(title) + b") /Producer (sandbox) >>",
    ]
    for number, content in enumerate(pages):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Resources 5 0 R "
            f"/Contents {8 + 2 * number} 0 R >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content))
    return _file(objects)


def _pages(lines: list[Line]) -> list[bytes]:
    pages: list[bytes] = []
    parts: list[bytes] = []
    at = float(TOP)
    for line in lines:
        if at < BOTTOM:
            pages.append(b"\n".join(parts))
            parts, at = [], float(TOP)
        parts.append(_text(LEFT, at, line.text, line))
        if line.right:
            parts.append(_text(RIGHT - _width(line.right, line.size), at, line.right, line))
        if line.rule:
            parts.append(f"0.5 w {LEFT} {at - 6:.1f} m {RIGHT} {at - 6:.1f} l S".encode())
        at -= line.size * LEADING + (6 if line.rule else 0)
    return [*pages, b"\n".join(parts)]


def _text(x: float, y: float, text: str, line: Line) -> bytes:
    font = "F2" if line.bold else "F1"
    return f"BT /{font} {line.size} Tf {x:.1f} {y:.1f} Td (".encode() + _escaped(text) + b") Tj ET"


def _width(text: str, size: int) -> float:
    return sum(_WIDTHS.get(each, _CAPITAL if each.isupper() else _DIGIT) for each in text) * size / 1_000


def _escaped(text: str) -> bytes:
    """WinAnsi, the one encoding that every reader has for the standard fonts; other letters become question marks."""
    encoded = text.encode("cp1252", "replace")
    return encoded.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _font(name: str) -> bytes:
    return f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode()


def _file(objects: list[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 6 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)
