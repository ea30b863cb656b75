"""The portal's steps: change of plan and quantity, cancellation with a reason, flows that lead to one of them."""

from typing import Any

import pytest
import stripe

from tests.sandbox.billed import customer_with
from tests.sandbox.pages import GOOD, card, visit


async def prices(client: stripe.StripeClient) -> tuple[str, str, str]:
    """A product with a small and a large monthly price."""
    product = await client.v1.products.create_async({"name": "Seats"})
    found = []
    for amount in (1_000, 3_000):
        price = await client.v1.prices.create_async(
            {"product": product.id, "currency": "usd", "unit_amount": amount, "recurring": {"interval": "month"}}
        )
        found.append(price.id)
    return product.id, found[0], found[1]


async def opened(client: stripe.StripeClient, flow: Any = None, **update: Any) -> tuple[Any, Any, str]:
    """A session of a customer with the small plan; both plans are offered."""
    product, small, large = await prices(client)
    customer = await customer_with(client)
    subscription = await client.v1.subscriptions.create_async({"customer": customer, "items": [{"price": small}]})
    features: Any = {
        "payment_method_update": {"enabled": True},
        "subscription_cancel": {
            "enabled": True,
            "cancellation_reason": {"enabled": True, "options": ["unused", "other"]},
        },
        "subscription_update": {
            "enabled": True,
            "default_allowed_updates": ["price", "quantity", "promotion_code"],
            "products": [{"product": product, "prices": [small, large]}],
            "proration_behavior": "always_invoice",
            **update,
        },
    }
    profile: Any = {"headline": "Your seats", "privacy_policy_url": "https://shop.example/privacy"}
    configuration = await client.v1.billing_portal.configurations.create_async(
        {"features": features, "business_profile": profile}
    )
    given: Any = {"customer": customer, "configuration": configuration.id}
    if flow is not None:
        given["flow_data"] = flow(subscription, large)
    session = await client.v1.billing_portal.sessions.create_async(given)
    return session, subscription, large


async def test_the_plan_is_changed_after_its_price_was_shown(client: stripe.StripeClient, address: str) -> None:
    session, subscription, large = await opened(client)
    home = f"/p/session/{session.id}"
    page = await visit(address, home)
    assert "Your seats" in page.html
    assert 'href="https://shop.example/privacy"' in page.html
    path = f"{home}/plan/{subscription.id}"
    assert f'href="{path}"' in page.html
    assert "$30.00 per month" in (await visit(address, path)).html
    choice = {"price": large, "quantity": "2"}
    shown = await visit(address, path, {**choice, "step": "preview"})
    assert '<strong id="due">$50.00</strong> now' in shown.html  # 2 x 30.00 less 10.00, all within one second
    before = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert before["items"].data[0].price.id != large
    done = await visit(address, path, {**choice, "step": "confirm"})
    assert (done.status, done.location) == (303, f"{home}?done=plan")
    after = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert (after["items"].data[0].price.id, after["items"].data[0].quantity) == (large, 2)
    invoice = await client.v1.invoices.retrieve_async(str(after.latest_invoice))
    assert (invoice.total, invoice.status) == (5_000, "paid")


async def test_what_is_not_offered_is_refused_and_changes_nothing(client: stripe.StripeClient, address: str) -> None:
    session, subscription, _ = await opened(client, default_allowed_updates=["price"])
    _, _, foreign = await prices(client)
    path = f"/p/session/{session.id}/plan/{subscription.id}"
    for choice in ({"price": foreign}, {"quantity": "3"}, {"code": "FREE"}):
        assert (await visit(address, path, {**choice, "step": "confirm"})).status == 400
    after = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert after["items"].data[0].price.id == subscription["items"].data[0].price.id
    other = await customer_with(client)
    small = subscription["items"].data[0].price.id
    theirs = await client.v1.subscriptions.create_async({"customer": other, "items": [{"price": small}]})
    for step in ("plan", "cancel"):
        assert (await visit(address, f"/p/session/{session.id}/{step}/{theirs.id}")).status in {400, 404}
    assert (await visit(address, f"/p/session/{session.id}/cancel/{theirs.id}", {})).status == 400
    assert (await client.v1.subscriptions.retrieve_async(theirs.id)).cancel_at is None


async def test_a_declined_change_is_refused_as_a_whole(client: stripe.StripeClient, address: str) -> None:
    session, subscription, large = await opened(client)
    bad = await client.v1.payment_methods.attach_async("pm_card_chargeCustomerFail", {"customer": session.customer})
    await client.v1.customers.update_async(session.customer, {"invoice_settings": {"default_payment_method": bad.id}})
    path = f"/p/session/{session.id}/plan/{subscription.id}"
    refused = await visit(address, path, {"price": large, "step": "confirm"})
    assert (refused.status, refused.problem) == (402, "Your card was declined.")
    after = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert after["items"].data[0].price.id != large


async def test_a_cancellation_tells_its_reason(client: stripe.StripeClient, address: str) -> None:
    session, subscription, _ = await opened(client)
    path = f"/p/session/{session.id}/cancel/{subscription.id}"
    assert "I don’t use it enough" in (await visit(address, path)).html
    assert (await visit(address, path, {"reason": "too_expensive"})).status == 400
    done = await visit(address, path, {"reason": "unused", "comment": "Bye"})
    assert done.status == 303
    after = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert after.cancellation_details is not None
    assert (after.cancel_at_period_end, after.cancellation_details.feedback) == (True, "unused")
    assert after.cancellation_details.comment == "Bye"


async def test_a_flow_leads_to_its_step_and_back_to_the_shop(client: stripe.StripeClient, address: str) -> None:
    ending = {"type": "redirect", "redirect": {"return_url": "https://shop.example/done"}}
    session, subscription, _ = await opened(
        client,
        lambda sub, _: {
            "type": "subscription_cancel",
            "subscription_cancel": {"subscription": sub.id},
            "after_completion": ending,
        },
    )
    assert session.flow.type == "subscription_cancel"
    step = (await visit(address, f"/p/session/{session.id}")).location
    assert step == f"/p/session/{session.id}/cancel/{subscription.id}"
    done = await visit(address, step, {})
    assert (done.status, done.location) == (303, "https://shop.example/done")
    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).cancel_at_period_end


async def test_a_flow_with_a_decided_change_only_asks_for_the_confirmation(
    client: stripe.StripeClient, address: str
) -> None:
    session, subscription, large = await opened(
        client,
        lambda sub, large: {
            "type": "subscription_update_confirm",
            "subscription_update_confirm": {
                "subscription": sub.id,
                "items": [{"id": sub["items"].data[0].id, "price": large}],
            },
            "after_completion": {"type": "hosted_confirmation", "hosted_confirmation": {"custom_message": "All set."}},
        },
    )
    step = (await visit(address, f"/p/session/{session.id}")).location
    assert step is not None
    assert "Confirm your new plan" in (await visit(address, step)).html
    assert "All set." in (await visit(address, step, {"step": "confirm"})).html
    after = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert after["items"].data[0].price.id == large


async def test_a_flow_for_the_card_shows_only_the_card(client: stripe.StripeClient, address: str) -> None:
    session, _, _ = await opened(client, lambda _, __: {"type": "payment_method_update"})
    page = await visit(address, f"/p/session/{session.id}")
    assert "Save this card" in page.html
    assert "Subscriptions" not in page.html
    assert (await visit(address, f"/p/session/{session.id}", card(GOOD, action="card"))).status == 303


async def test_a_flow_that_the_configuration_forbids_is_refused(client: stripe.StripeClient) -> None:
    customer = await customer_with(client)
    narrow = await client.v1.billing_portal.configurations.create_async(
        {"features": {"invoice_history": {"enabled": True}}}
    )
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.billing_portal.sessions.create_async(
            {"customer": customer, "configuration": narrow.id, "flow_data": {"type": "payment_method_update"}}
        )
    assert refused.value.param == "flow_data[type]"
