"""Runs one operation inside another: the hosted pages do what an API client would, in one transaction."""

from dataclasses import replace

from sandbox.context import Context
from sandbox.errors import not_implemented
from sandbox.operations import find
from sandbox.store import Object


def call(ctx: Context, method: str, path: str, **params: object) -> Object:
    """The answer of an operation, given converted parameters; those that are None are left out.

    It shares the transaction, the account and the time of `ctx`, so its effects are undone with it.
    """
    found = find(method, path)
    if found is None:
        raise not_implemented(method, path)
    operation, values = found
    given = {name: value for name, value in params.items() if value is not None}
    return operation.run(replace(ctx, params=given, path=values))
