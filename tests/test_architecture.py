"""The house keeps its shape: imports go down the levels, no circles, a short tail."""

import pytest

from tests import architecture

MODULES = architecture.modules()


def test_imports_go_down_the_levels_only() -> None:
    assert architecture.upward_imports(MODULES) == []


def test_no_files_import_each_other_in_a_circle() -> None:
    assert architecture.circles(MODULES) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.name))
def test_each_file_says_its_purpose_and_stays_short(module: architecture.Module) -> None:
    first = module.path.read_text(encoding="utf-8").partition("\n")[0]
    assert first.startswith('"""')
    assert module.lines <= 450
    assert [function for function in module.functions if function[1] > 70] == []


def test_only_the_gateway_reads_the_environment() -> None:
    # tools of `make setup` and `make bench`, not parts of the product: npm and the measured servers need our PATH
    exempt = {"pages.graphiql_build", "bench.http"}
    readers = [
        module.name
        for module in MODULES
        if module.room not in {"gateway", "sandbox"} and "os.environ" in module.path.read_text(encoding="utf-8")
    ]
    assert set(readers) <= exempt


def test_the_figures_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    line = architecture.figures(MODULES)
    with capsys.disabled():
        print(f"\narchitecture: {line}")
    assert "import circles: 0" in line
