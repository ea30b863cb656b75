"""Whom a mutation is about: a customer's token names its own customer, or nobody's; an id names its own type alone."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from billing.errors import BillingError, Code
from resolvers.permission import whose
from schema import ids


def _info(customer: str | None) -> Any:
    return cast(Any, SimpleNamespace(context=SimpleNamespace(caller=SimpleNamespace(customer=customer))))


def test_a_customers_token_is_about_its_own_customer() -> None:
    assert whose(_info("cus_1"), None) == "cus_1"
    assert whose(_info("cus_1"), "cus_1") == "cus_1"
    assert whose(_info("cus_1"), ids.encode("Customer", "cus_1")) == "cus_1"


@pytest.mark.parametrize("given", ["cus_2", ids.encode("Customer", "cus_2"), ids.encode("Invoice", "cus_1"), "nö", ""])
def test_a_customers_token_is_about_nobody_else(given: str) -> None:
    if given == "":
        assert whose(_info("cus_1"), given) == "cus_1"
        return
    with pytest.raises(BillingError) as refused:
        whose(_info("cus_1"), given)
    assert (refused.value.code, refused.value.field) == (Code.NOT_FOUND, "customer")


def test_others_must_say_whom_they_mean() -> None:
    assert whose(_info(None), "cus_2") == "cus_2"
    with pytest.raises(BillingError) as refused:
        whose(_info(None), None)
    assert refused.value.code is Code.INVALID_INPUT


def test_an_id_names_its_own_type_alone() -> None:
    assert ids.stripe_id(ids.encode("Invoice", "in_1"), "Invoice") == "in_1"
    assert ids.stripe_id(ids.encode("Invoice", "in_1"), "Customer") is None
