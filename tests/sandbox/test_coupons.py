"""Coupons and promotion codes."""

from typing import Any

import pytest
import stripe


async def test_a_coupon_has_what_was_given(client: stripe.StripeClient) -> None:
    coupon = await client.v1.coupons.create_async(
        {"id": "TEN", "percent_off": 10, "duration": "repeating", "duration_in_months": 3}
    )
    assert (coupon.id, coupon.percent_off, coupon.duration_in_months, coupon.valid) == ("TEN", 10.0, 3, True)
    renamed = await client.v1.coupons.update_async("TEN", {"name": "Ten off", "metadata": {"a": "b"}})
    assert (renamed.name, renamed.times_redeemed) == ("Ten off", 0)
    assert [found.id for found in (await client.v1.coupons.list_async()).data] == ["TEN"]
    await client.v1.coupons.delete_async("TEN")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.coupons.retrieve_async("TEN")
    assert caught.value.code == "resource_missing"


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({}, "percent_off"),
        ({"percent_off": 10, "amount_off": 5, "currency": "usd"}, "percent_off"),
        ({"percent_off": 101}, "percent_off"),
        ({"amount_off": 5}, "currency"),
        ({"percent_off": 5, "duration": "repeating"}, "duration_in_months"),
    ],
)
async def test_a_coupon_that_makes_no_sense_is_refused(client: stripe.StripeClient, given: Any, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.coupons.create_async(given)
    assert caught.value.param == param


async def test_a_promotion_code_is_found_by_its_letters(client: stripe.StripeClient) -> None:
    coupon = await client.v1.coupons.create_async({"amount_off": 500, "currency": "USD"})
    given: Any = {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "FALL20"}
    code = await client.v1.promotion_codes.create_async(given)
    assert (code.active, code.promotion.coupon) == (True, coupon.id)
    listed = await client.v1.promotion_codes.list_async({"code": "fall20", "active": True})
    assert [found.id for found in listed.data] == [code.id]
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        await client.v1.promotion_codes.create_async(given)
    stopped = await client.v1.promotion_codes.update_async(code.id, {"active": False})
    assert not stopped.active
    assert (await client.v1.promotion_codes.create_async(given)).active
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        await client.v1.promotion_codes.update_async(code.id, {"active": True})
