"""Searches, in Stripe's query language."""

from typing import Any

import pytest
import stripe


@pytest.fixture
async def three(client: stripe.StripeClient) -> list[str]:
    """Ada, Bob and Cy; ids in this order."""
    given: list[Any] = [
        {"name": "Ada Lovelace", "email": "ada@example.org", "metadata": {"plan": "pro"}},
        {"name": "Bob", "email": "bob@example.org", "metadata": {"plan": "basic", "it's": "odd"}},
        {"name": 'Cy "the" Young', "email": "cy@example.com"},
    ]
    return [(await client.v1.customers.create_async(one)).id for one in given]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('email:"ada@example.org"', [0]),
        ('email:"ADA@EXAMPLE.ORG"', [0]),
        ("name:'bob'", [1]),
        ('email~"example.org"', [1, 0]),
        ('-email~"example.org"', [2]),
        ('email~"example.org" -name:"Bob"', [0]),
        ('email~"example.org" AND name:"Bob"', [1]),
        ('name:"Bob" or name:"Ada Lovelace"', [1, 0]),
        ('metadata["plan"]:"pro"', [0]),
        ("-metadata['plan']:'pro'", [2, 1]),
        ('-metadata["plan"]:null', [1, 0]),
        ('metadata["plan"]:null', [2]),
        ('name:"Cy \\"the\\" Young"', [2]),
        ("phone:null", [2, 1, 0]),
        ("created>0", [2, 1, 0]),
        ("created<1", []),
        ('name:"nobody"', []),
    ],
)
async def test_a_query_finds_what_it_says_newest_first(
    client: stripe.StripeClient, three: list[str], query: str, found: list[int]
) -> None:
    answer = await client.v1.customers.search_async({"query": query})
    assert [one.id for one in answer.data] == [three[index] for index in found]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "nonsense",
        'name:"a" AND',
        'name:"a" AND email:"b" OR email:"c"',
        'colour:"red"',
        'metadata:"pro"',
        'name["a"]:"b"',
        'created>"yesterday"',
        'name~"ab"',
        " AND ".join(['name:"abc"'] * 11),
        'name:"unended',
    ],
)
async def test_a_query_that_cannot_be_read_is_refused(
    client: stripe.StripeClient, three: list[str], query: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.customers.search_async({"query": query})
    assert caught.value.param == "query"


async def test_pages_follow_one_another(client: stripe.StripeClient, three: list[str]) -> None:
    first = await client.v1.customers.search_async({"query": "created>0", "limit": 2})
    assert [one.id for one in first.data] == [three[2], three[1]]
    assert first.has_more
    second = await client.v1.customers.search_async({"query": "created>0", "limit": 2, "page": str(first.next_page)})
    assert [one.id for one in second.data] == [three[0]]
    assert not second.has_more
    assert not second.next_page


async def test_other_types_are_found_by_their_own_fields(client: stripe.StripeClient) -> None:
    v1 = client.v1
    product = await v1.products.create_async({"name": "Gold plan", "metadata": {"tier": "1"}})
    price = await v1.prices.create_async({"product": product.id, "currency": "eur", "unit_amount": 900})
    await v1.prices.update_async(price.id, {"active": False, "lookup_key": "gold"})
    assert [one.id for one in (await v1.products.search_async({"query": 'name~"gold"'})).data] == [product.id]
    for query in ('active:"false"', 'lookup_key:"gold" currency:"eur"', f'product:"{product.id}" type:"one_time"'):
        assert [one.id for one in (await v1.prices.search_async({"query": query})).data] == [price.id]
    owner = await v1.customers.create_async({"email": "a@example.org"})
    card = await v1.payment_methods.attach_async("pm_card_visa", {"customer": owner.id})
    paid: Any = {"amount": 4200, "currency": "usd", "customer": owner.id, "payment_method": card.id, "confirm": True}
    intent = await v1.payment_intents.create_async(paid | {"return_url": "https://example.org"})
    found = await v1.payment_intents.search_async({"query": "amount>4199 status:'succeeded'"})
    assert [one.id for one in found.data] == [intent.id]
    charges = await v1.charges.search_async({"query": "payment_method_details.card.last4:4242 -refunded:true"})
    assert [one.amount for one in charges.data] == [4200]
    assert (await v1.invoices.search_async({"query": 'status:"open"'})).data == []
    assert (await v1.subscriptions.search_async({"query": 'status:"active"'})).data == []
