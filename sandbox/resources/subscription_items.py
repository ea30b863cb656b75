"""Subscription items over the API: each change is a change of their subscription."""

from dataclasses import replace
from typing import Any

from sandbox.context import Context
from sandbox.errors import invalid, missing
from sandbox.http.lists import window
from sandbox.operations import operation
from sandbox.planning import on_clock
from sandbox.store import Object
from sandbox.subscribing import change
from sandbox.subscribing.items import INDEX, index_id

ITEM = ("discounts", "metadata", "plan", "price", "price_data", "quantity", "tax_rates")
HOW = ("payment_behavior", "proration_behavior", "proration_date")


@operation("POST", "/v1/subscription_items", takes=(*ITEM, *HOW, "subscription"))
def create(ctx: Context) -> Object:
    ctx.get("subscription", ctx.params["subscription"], param="subscription")
    subscription = _change(ctx, ctx.params["subscription"], _given(ctx, ITEM))
    added: Object = subscription["items"]["data"][-1]
    return added


@operation("GET", "/v1/subscription_items/{item}")
def retrieve(ctx: Context) -> Object:
    return _find(ctx)[1]


@operation("POST", "/v1/subscription_items/{item}", takes=(*ITEM, *HOW, "off_session"))
def update(ctx: Context) -> Object:
    subscription, item = _find(ctx)
    changed = _change(ctx, subscription["id"], {"id": item["id"], **_given(ctx, ITEM)})
    return next(found for found in changed["items"]["data"] if found["id"] == item["id"])


@operation("DELETE", "/v1/subscription_items/{item}", takes=HOW)
def delete(ctx: Context) -> Object:
    subscription, item = _find(ctx)
    if len(subscription["items"]["data"]) == 1:
        raise invalid("A subscription must have at least one active item. To cancel it, delete the subscription.")
    _change(ctx, subscription["id"], {"id": item["id"], "deleted": True})
    return {"id": item["id"], "object": "subscription_item", "deleted": True}


@operation("GET", "/v1/subscription_items")
def list_all(ctx: Context) -> Object:
    subscription = ctx.get("subscription", ctx.params["subscription"], param="subscription")
    url = f"/v1/subscription_items?subscription={subscription['id']}"
    return window(ctx, subscription["items"]["data"], "subscription_item", url)


def _find(ctx: Context) -> tuple[Object, Object]:
    item_id = ctx.path["item"]
    index = ctx.tx.get(ctx.account, INDEX, index_id(item_id))
    if index is not None:
        subscription = ctx.get("subscription", index["subscription"])
        for item in subscription["items"]["data"]:
            if item["id"] == item_id:
                return subscription, item
    raise missing("subscription_item", item_id)


def _given(ctx: Context, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: ctx.params[name] for name in names if name in ctx.params}


def _change(ctx: Context, subscription_id: str, item: Object) -> Object:
    subscription = ctx.edit("subscription", subscription_id)
    params = {"items": [item], **_given(ctx, HOW)}
    return change.update(replace(on_clock(ctx, subscription), params=params), subscription)
