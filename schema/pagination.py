"""Relay connections with keyset cursors: a page costs the same wherever it lies, and nothing is skipped or repeated."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Generic, TypeVar

import strawberry

from mirror.queries import MAX_PAGE, Page, Row, Window
from schema.values import BadInputError

T = TypeVar("T")
_LONGEST_CURSOR = 500

First = Annotated[int | None, strawberry.argument(description=f"How many, from the beginning on; 1 to {MAX_PAGE}.")]
Last = Annotated[int | None, strawberry.argument(description=f"How many, back from the end; 1 to {MAX_PAGE}.")]
After = Annotated[str | None, strawberry.argument(description="Only what comes after this cursor.")]
Before = Annotated[str | None, strawberry.argument(description="Only what comes before this cursor.")]


@strawberry.enum(description="In which order a list is.")
class Order(Enum):
    NEWEST_FIRST = "newest first"
    OLDEST_FIRST = "oldest first"


Ordered = Annotated[Order, strawberry.argument(description="By the time at which the objects were made.")]


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there is more after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there is more before this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first edge.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last edge.")


@strawberry.type(description="One object of a page, with its cursor.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="Where this object stands in the list.")
    node: T = strawberry.field(description="The object.")


@strawberry.type(description="A page of a list; newest first unless it was asked for otherwise.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The objects with their cursors.")
    page_info: PageInfo = strawberry.field(description="Where this page lies.")
    counter: strawberry.Private[Callable[[], Awaitable[int]]]

    @strawberry.field(description="The objects without cursors.")
    def nodes(self) -> list[T]:
        return [edge.node for edge in self.edges]

    @strawberry.field(description="How many objects the whole list has; counted only where it is asked for.")
    async def total_count(self) -> int:
        return await self.counter()


def window(
    first: int | None,
    last: int | None,
    after: str | None,
    before: str | None,
    order: Order = Order.NEWEST_FIRST,
) -> Window:
    """Page arguments as a window on the list from the newest on; exactly one of `first` and `last` is needed."""
    if order is Order.OLDEST_FIRST:
        first, last, after, before = last, first, before, after
    if (first is None) == (last is None):
        raise BadInputError("Give exactly one of `first` and `last`.")
    size = first if first is not None else last or 0
    if not 1 <= size <= MAX_PAGE:
        raise BadInputError(f"`first` and `last` take 1 to {MAX_PAGE}.")
    return Window(size, _cursor(after), _cursor(before), backwards=first is None)


def _cursor(text: str | None) -> tuple[datetime, str] | None:
    if text is None:
        return None
    if len(text) > _LONGEST_CURSOR:
        raise BadInputError("The cursor is not one of this API.")
    try:
        seconds, _, stripe_id = base64.urlsafe_b64decode(text.encode("ascii")).decode().partition(":")
        if "\0" in stripe_id:
            raise BadInputError("The cursor is not one of this API.")
        return datetime.fromtimestamp(int(seconds), UTC), stripe_id
    except (binascii.Error, ValueError, OverflowError, OSError) as error:
        raise BadInputError("The cursor is not one of this API.") from error


def cursor(row: Row) -> str:
    """Where a row stands: its time of creation (whole seconds, as Stripe has them) and its id."""
    plain = f"{int(row['created'].timestamp())}:{row['stripe_id']}"
    return base64.urlsafe_b64encode(plain.encode()).decode()


def connection(
    page: Page,
    asked: Window,
    build: Callable[[Row], T],
    counter: Callable[[], Awaitable[int]],
    order: Order = Order.NEWEST_FIRST,
) -> Connection[T]:
    """A page of rows as a connection; the other order is the same window read from its other end."""
    edges: Sequence[Edge[T]] = [Edge(cursor=cursor(row), node=build(row)) for row in page.rows]
    back = asked.backwards
    if order is Order.OLDEST_FIRST:
        edges = edges[::-1]
        asked, back = Window(asked.size, asked.before, asked.after, backwards=not back), not back
    info = PageInfo(
        has_next_page=asked.before is not None if back else page.more,
        has_previous_page=page.more if back else asked.after is not None,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return Connection(edges=list(edges), page_info=info, counter=counter)
