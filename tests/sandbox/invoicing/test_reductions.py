"""What coupons take off lines."""

from typing import Any

from sandbox.invoicing.reductions import reduce_lines


def lines(*amounts: int) -> list[dict[str, Any]]:
    details = {"price_details": {"price": "price_1", "product": "prod_1"}}
    return [{"amount": amount, "discountable": True, "pricing": details} for amount in amounts]


def discount(percent: float | None, amount: int | None, products: list[str] | None = None) -> dict[str, Any]:
    limits = None if products is None else {"products": products}
    return {"id": "di_1", "_coupon": {"percent_off": percent, "amount_off": amount, "_applies_to": limits}}


def test_a_sum_is_shared_out_without_losing_a_cent() -> None:
    made = lines(1000, 1000, 1000)
    assert reduce_lines(made, [discount(None, 1000)]) == [{"amount": 1000, "discount": "di_1"}]
    assert sum(line["discount_amounts"][0]["amount"] for line in made) == 1000


def test_a_sum_never_takes_off_more_than_there_is() -> None:
    assert reduce_lines(lines(300), [discount(None, 1000)])[0]["amount"] == 300


def test_the_second_percentage_is_of_what_the_first_left() -> None:
    totals = reduce_lines(lines(1000), [discount(50, None), discount(10, None)])
    assert [total["amount"] for total in totals] == [500, 50]


def test_other_products_and_credits_are_left_alone() -> None:
    assert reduce_lines(lines(1000), [discount(50, None, ["prod_2"])])[0]["amount"] == 0
    assert reduce_lines(lines(-1000), [discount(50, None)])[0]["amount"] == 0
