"""The setup intent of a subscription that costs nothing yet: it saves the card for what comes after."""

from sandbox.billing import cards
from sandbox.context import Context
from sandbox.invoicing import collection
from sandbox.resources import setup_intents
from sandbox.store import Object
from sandbox.subscribing.state import tell


def prepare(ctx: Context, subscription: Object, invoice: Object, behavior: str) -> None:
    """`pending_setup_intent`: where nothing is due now and no card is there, or one that its bank must confirm.

    https://docs.stripe.com/billing/subscriptions/overview#non-payment
    """
    if invoice["amount_due"] or subscription["collection_method"] != "charge_automatically":
        return
    method = collection.method_for(ctx, invoice)
    if method is not None and not _wants_setup(ctx.get("payment_method", method)):
        return
    intent = setup_intents.create_setup_intent(ctx, customer=subscription["customer"], payment_method=method)
    intent["_subscription"] = subscription["id"]
    if method is not None and behavior != "default_incomplete":
        setup_intents.confirm(ctx, intent)
    subscription["pending_setup_intent"] = intent["id"]


def _wants_setup(method: Object) -> bool:
    return cards.outcome(method).result is cards.Result.REQUIRES_ACTION


@setup_intents.watch
def follow(ctx: Context, intent: Object) -> None:
    """The card is saved: the subscription keeps it, if it was told to."""
    if intent.get("_subscription") is None:
        return
    subscription = ctx.edit("subscription", intent["_subscription"])
    subscription["pending_setup_intent"] = None
    if subscription["payment_settings"]["save_default_payment_method"] == "on_subscription":
        subscription["default_payment_method"] = intent["payment_method"]
    tell(ctx, subscription)
