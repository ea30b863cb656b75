"""A command whose module is imported when it is used, not when it is listed: `gateway --help` answers at once."""

from importlib import import_module
from typing import Any

import click


class LazyCommand(click.Command):
    """Stands in for `attribute` of `module` until it is called."""

    def __init__(self, name: str, *, module: str, attribute: str, help: str) -> None:  # noqa: A002 - click's word
        super().__init__(name, help=help)
        self._module = module
        self._attribute = attribute

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        command: click.Command = getattr(import_module(self._module), self._attribute)
        return command.make_context(info_name, args, parent=parent, **extra)
