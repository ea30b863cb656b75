"""No account sees another's objects, whatever their type."""

from typing import Any

import aiohttp
import stripe

from tests.sandbox.test_accounts import enabled
from tests.sandbox.test_payment_intents import DIRECT


async def one_of_each(client: stripe.StripeClient, account: str) -> list[str]:
    """The addresses of one object of each type, made in the account."""
    options: Any = {"stripe_account": account}
    v1 = client.v1
    customer = await v1.customers.create_async({"payment_method": "pm_card_visa"}, options)
    cards = await v1.customers.payment_methods.list_async(customer.id, {}, options)
    price = await v1.prices.create_async(
        {"currency": "eur", "unit_amount": 500, "product_data": {"name": "A"}}, options
    )
    coupon = await v1.coupons.create_async({"percent_off": 10}, options)
    code = await v1.promotion_codes.create_async({"promotion": {"type": "coupon", "coupon": coupon.id}}, options)
    pay: Any = {"amount": 900, "currency": "eur", "payment_method": "pm_card_visa", **DIRECT}
    intent = await v1.payment_intents.create_async(pay, options)
    refund = await v1.refunds.create_async({"payment_intent": intent.id}, options)
    setup = await v1.setup_intents.create_async({}, options)
    endpoint = await v1.webhook_endpoints.create_async(
        {"url": "http://127.0.0.1:9/hook", "enabled_events": ["charge.expired"]}, options
    )
    (event,) = (await v1.events.list_async({"limit": 1}, options)).data
    return [
        f"customers/{customer.id}",
        f"payment_methods/{cards.data[0].id}",
        f"products/{price.product}",
        f"prices/{price.id}",
        f"coupons/{coupon.id}",
        f"promotion_codes/{code.id}",
        f"payment_intents/{intent.id}",
        f"charges/{intent.latest_charge}",
        f"refunds/{refund.id}",
        f"setup_intents/{setup.id}",
        f"webhook_endpoints/{endpoint.id}",
        f"events/{event.id}",
    ]


async def test_every_type_is_kept_apart(client: stripe.StripeClient, plain: aiohttp.ClientSession) -> None:
    first, second = await enabled(client), await enabled(client)
    statuses: dict[str, dict[str, int]] = {}
    listed: dict[str, int] = {}
    for path in await one_of_each(client, first):
        for name, headers in (("owner", {"Stripe-Account": first}), ("other", {"Stripe-Account": second}), ("own", {})):
            async with plain.get(f"/v1/{path}", headers=headers) as answer:
                statuses.setdefault(name, {})[path] = answer.status
        kind = path.partition("/")[0]
        if kind != "events":  # the other account has events of its own
            async with plain.get(f"/v1/{kind}", headers={"Stripe-Account": second}) as answer:
                listed[kind] = len((await answer.json())["data"])
    assert {name: set(found.values()) for name, found in statuses.items()} == {
        "owner": {200},
        "other": {404},
        "own": {404},
    }
    assert len(listed) == 11
    assert set(listed.values()) == {0}
