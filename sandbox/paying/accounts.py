"""Bank accounts as payment methods: ACH debits from Stripe's test accounts, SEPA debits from test IBANs."""

from sandbox.billing import banks, cards
from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.ids import letters
from sandbox.paying.cards import stored
from sandbox.store import Object

TEST_ID = "pm_usBankAccount"
OWNER = "Jenny Rosen"  # Stripe's test accounts have this owner


def test_account(ctx: Context, name: str) -> Object | None:
    """The account of pm_usBankAccount and its variants, verified already; None for another id."""
    if not name.startswith(TEST_ID):
        return None
    number = banks.US_BY_NAME.get(name.removeprefix(TEST_ID).removeprefix("_") or "success")
    if number is None:
        raise not_implemented("POST", f"payment_method={name}")
    made = bank_account(ctx, {"account_number": number, "routing_number": banks.US_ROUTING}, "us_bank_account")
    made |= {"_verified": True}
    made["billing_details"]["name"] = OWNER
    return made


def bank_account(ctx: Context, given: Object, param: str) -> Object:
    """A US bank account, which has yet to be verified."""
    if "financial_connections_account" in given:
        raise not_implemented("POST", f"{param}[financial_connections_account]")
    for name in ("account_number", "routing_number"):
        if not given.get(name):
            full = f"{param}[{name}]"
            raise invalid(f"Missing required param: {full}.", param=full, code="parameter_missing")
    number = given["account_number"]
    if given["routing_number"] != banks.US_ROUTING:
        message = "You must use a test bank account number in test mode. Try 000123456789 with routing 110000000."
        raise invalid(message, param=f"{param}[routing_number]", code="routing_number_invalid")
    if number not in banks.US_ACCOUNTS:
        message = "You must use a test bank account number in test mode. Try 000123456789 or see more options at "
        raise invalid(
            message + "https://stripe.com/docs/connect/testing#account-numbers.",
            param=f"{param}[account_number]",
            code="account_number_invalid",
        )
    shown = {
        "account_holder_type": given.get("account_holder_type", "individual"),
        "account_type": given.get("account_type", "checking"),
        "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": None,
        "fingerprint": letters(f"bank:{number}", 16),
        "last4": number[-4:],
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": given["routing_number"],
        "status_details": {},
    }
    made = stored(ctx, "us_bank_account", shown, behaviour=cards.Behaviour.DEBIT, decline=banks.US_ACCOUNTS[number])
    made["_verified"] = False
    return made


def sepa_account(ctx: Context, given: Object, param: str) -> Object:
    """The account of a test IBAN."""
    found = banks.iban(given.get("iban") or "")
    if found is None:
        message = "The IBAN you provided is invalid."
        raise invalid(message, param=f"{param}[iban]", code="invalid_bank_account_iban")
    shown = {
        "bank_code": found.bank_code,
        "branch_code": "",
        "country": found.country,
        "fingerprint": letters(f"iban:{given['iban']}", 16),
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": found.last4,
    }
    made = stored(ctx, "sepa_debit", shown, behaviour=cards.Behaviour.DEBIT, decline=found.failure)
    made["_verified"] = True
    return made


def mandate(ctx: Context, method: Object, acceptance: Object) -> Object:
    """The mandate to debit the account again, as its owner accepted it."""
    kind = method["type"]
    mandate_id = ctx.new_id("mandate")
    reference = letters(f"mandate:{mandate_id}", 16).upper()
    details = {"collection_method": None} if kind == "us_bank_account" else {"reference": reference, "url": _url(ctx)}
    online = acceptance.get("online")
    accepted: Object = {"accepted_at": acceptance.get("accepted_at", ctx.now), "type": acceptance["type"]}
    accepted |= {"offline": {}} if acceptance["type"] == "offline" else {"online": online}
    made = ctx.insert(
        {
            "id": mandate_id,
            "object": "mandate",
            "customer_acceptance": accepted,
            "livemode": False,
            "multi_use": {},
            "on_behalf_of": None,
            "payment_method": method["id"],
            "payment_method_details": {kind: details, "type": kind},
            "status": "active",
            "type": "multi_use",
        }
    )
    ctx.edit("payment_method", method["id"])["_mandate"] = made["id"]
    return made


def _url(ctx: Context) -> str:
    return f"{ctx.config.public_url}/mandates"
