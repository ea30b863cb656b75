"""The page of what the sandbox covers is as the code is."""

from pathlib import Path

from sandbox.coverage import page
from sandbox.http.parameters import names_of
from sandbox.operations import registered

_PAGE = Path(__file__).parent.parent.parent / "sandbox" / "COVERAGE.md"


def test_the_committed_page_is_what_the_code_says() -> None:
    assert _PAGE.read_text() == page(), "run: python -m sandbox coverage > sandbox/COVERAGE.md"


def test_every_operation_that_is_here_is_on_the_page_and_takes_only_what_stripe_knows() -> None:
    told = page()
    for name, operation in registered().items():
        assert f"| `{name}` | yes |" in told
        assert operation.takes is None or operation.takes - {"expand"} <= names_of()[name], name
