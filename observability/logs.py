"""Logs: structured, and redacted after everything else, so that tracebacks are redacted too."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, cast

import structlog

_SECRETS = re.compile(
    r"(?:sk|rk|pk)_(?:test|live)_\w+|whsec_\w+|bgw_(?:test|live)_\w+|\w+_secret_\w+"
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]+|(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)|[\w.+-]+@[\w-]+\.[\w.-]+|postgres(?:ql)?://\S+"
)
HIDDEN = "[redacted]"


def redact(text: str) -> str:
    """The text without keys, tokens, client secrets, card numbers and e-mail addresses."""
    return _SECRETS.sub(HIDDEN, text)


def _redact_all(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: _redacted(value) for key, value in event.items()}


def _redacted(value: Any) -> Any:
    """Texts without what is hidden, also those within lists and mappings; anything else but numbers as its words."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {redact(str(key)): _redacted(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(one) for one in value]
    return redact(str(value))


def configure(*, level: str = "info", console: bool = False) -> None:
    """Set up once, from the top. Libraries' own records go the same way."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_all,
    ]
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(number, logging.WARNING))


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger for one module."""
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger(module=name))
