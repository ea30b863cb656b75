"""Writes docs/settings.md from the settings themselves: `python -m gateway.settings_page > docs/settings.md`."""

from pydantic import SecretStr

from gateway.settings import Settings

_HEAD = """# Settings

All settings are environment variables; an empty one counts as unset. `gateway run` needs none of them: it makes its
own, and writes those that operators' commands need to `.run/gateway.env`. Such a command needs `DATABASE_URL`,
`GATEWAY_APP_PASSWORD` and `GATEWAY_SYSTEM_PASSWORD`, and names what it lacks besides.

This page is written by `python -m gateway.settings_page` and compared with the code by a test.

| variable | default | meaning |
| --- | --- | --- |
"""


def settings_page() -> str:
    """The whole page as Markdown."""
    return _HEAD + "".join(_rows())


def _rows() -> list[str]:
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        secret = isinstance(default, SecretStr)
        shown = "" if secret or default == "" else f"`{str(default).lower()}`"
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        rows.append(f"| `{name.upper()}` | {shown} | {meaning}{' *Secret.*' if secret else ''} |\n")
    return rows


if __name__ == "__main__":
    print(settings_page(), end="")
