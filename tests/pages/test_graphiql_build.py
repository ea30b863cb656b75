"""When GraphiQL's assets are built anew, what a failed build says, and that the lock names no registry."""

import json
import re
from pathlib import Path

import pytest

from pages import graphiql_build
from pages.graphiql_build import PROJECT, BuildError, inputs_hash, is_current

BUNDLE = """
import { mkdirSync, writeFileSync } from 'node:fs'
const [folder, inputs] = process.argv.slice(2)
mkdirSync(folder)
writeFileSync(`${folder}/manifest.json`, JSON.stringify({ inputs, files: ['manifest.json'] }))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project without dependencies: npm installs nothing, and needs no network."""
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "node_modules").mkdir()
    (folder / ".npmrc").write_text("audit=false\nfund=false\n")
    package = {"name": "empty", "version": "1.0.0"}
    (folder / "package.json").write_text(json.dumps(package))
    lock = {**package, "lockfileVersion": 3, "requires": True, "packages": {"": package}}
    (folder / "package-lock.json").write_text(json.dumps(lock))
    (folder / "build.mjs").write_text(BUNDLE)
    (folder / "src" / "main.js").write_text("first")
    return folder


def test_a_second_build_of_the_same_inputs_does_nothing(project: Path, tmp_path: Path) -> None:
    output = tmp_path / "static" / "graphiql"
    assert graphiql_build.build(project, output) is True
    assert graphiql_build.build(project, output) is False
    assert [path.name for path in output.parent.iterdir()] == ["graphiql"]


def test_a_changed_source_or_a_lost_file_builds_again(project: Path, tmp_path: Path) -> None:
    output = tmp_path / "graphiql-built"
    graphiql_build.build(project, output)
    (project / "src" / "main.js").write_text("second")
    assert graphiql_build.build(project, output) is True
    (output / "manifest.json").write_text("{ cut off")
    assert graphiql_build.build(project, output) is True


def test_a_failed_bundle_says_why_and_leaves_the_last_build_alone(project: Path, tmp_path: Path) -> None:
    output = tmp_path / "graphiql-built"
    graphiql_build.build(project, output)
    before = (output / "manifest.json").read_bytes()
    (project / "build.mjs").write_text("throw new Error('no such module: left-pad')")
    with pytest.raises(BuildError, match=r"(?s)bundling failed \(exit code 1\).*no such module: left-pad"):
        graphiql_build.build(project, output)
    assert (output / "manifest.json").read_bytes() == before


def test_a_missing_input_is_named(project: Path) -> None:
    (project / "package-lock.json").unlink()
    with pytest.raises(BuildError, match=r"package-lock\.json is missing"):
        inputs_hash(project, "24")


def test_another_version_of_node_is_another_build(project: Path) -> None:
    assert inputs_hash(project, "24") != inputs_hash(project, "25")


def test_a_build_with_a_lost_file_is_not_current(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"inputs": "1", "files": ["main.js"]}))
    assert not is_current(tmp_path, "1")
    (tmp_path / "main.js").touch()
    assert is_current(tmp_path, "1")
    assert not is_current(tmp_path, "2")


def test_the_lock_has_a_hash_for_each_package_and_the_address_of_none() -> None:
    text = (PROJECT / "package-lock.json").read_text()
    packages = {name: entry for name, entry in json.loads(text)["packages"].items() if name}
    assert packages
    assert [name for name, entry in packages.items() if "integrity" not in entry] == []
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert re.findall(r"https?://[^/\"]*(?:regist|npm)[^\"]*", text) == []
