"""The live field: a signal for every change that the caller may see, many close together as one."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from schema.access import READERS, access
from schema.context import Info
from schema.live import BillingChange
from schema.values import BadInputError

After = Annotated[
    str | None,
    strawberry.argument(
        description="The last revision seen: what came after it is told at once, and nothing is missed."
    ),
]


@access(READERS)
async def billing_changed(info: Info, after: After = None) -> AsyncGenerator[BillingChange, None]:
    if after is not None and not (after.isascii() and after.isdigit() and len(after) <= 18):
        raise BadInputError("`after` must be a revision, as answers tell it.")
    seen = None if after is None else int(after)
    async for revision in info.context.revisions():
        if seen is None:
            seen = revision  # nothing was asked for from before
        elif revision > seen:
            seen = revision
            yield BillingChange(revision=str(revision))
