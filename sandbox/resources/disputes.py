"""Disputes: a payer's bank takes a charge back, and evidence or its lack decides who keeps the money."""

from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.resources import balance_transactions
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object

_DAY = 86_400
_DAYS_TO_ANSWER = 9
_OPEN = frozenset({"needs_response", "warning_needs_response", "under_review", "warning_under_review"})
# Stripe's own words for tests: this text in `uncategorized_text` decides at once.
_DECIDED = {"winning_evidence": "won", "losing_evidence": "lost"}
_EVIDENCE = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation",
    "duplicate_charge_id", "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
    "refund_refusal_explanation", "service_date", "service_documentation", "shipping_address", "shipping_carrier",
    "shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
)  # fmt: skip


def begin(ctx: Context, charge: Object, reason: str, *, inquiry: bool = False) -> Object:
    """A dispute of a whole charge, of which `charge` is a draft; an inquiry takes no money yet."""
    dispute: Object = {
        "id": ctx.new_id("dp"),
        "object": "dispute",
        "amount": charge["amount"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": ctx.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(_EVIDENCE) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": ctx.now // _DAY * _DAY + _DAYS_TO_ANSWER * _DAY - 1,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": charge["payment_method_details"]["card"]["brand"],
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": charge["payment_method_details"]["card"]["network"],
                "network_reason_code": "10.4" if reason == "fraudulent" else "13.1",
            },
            "type": "card",
        },
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
    ctx.insert(dispute)
    charge |= {"dispute": dispute["id"], "disputed": True}
    if not inquiry:
        dispute["balance_transactions"] = [balance_transactions.of_dispute(ctx, dispute)]
    ctx.emit("charge.dispute.created", dispute)
    if not inquiry:
        ctx.emit("charge.dispute.funds_withdrawn", dispute)
    ctx.updated("charge.updated", charge)
    return dispute


@operation("GET", "/v1/disputes")
def list_all(ctx: Context) -> Object:
    wanted = {name: ctx.params[name] for name in ("charge", "payment_intent") if name in ctx.params}
    return page(ctx, "dispute", "/v1/disputes", lambda one: all(one[name] == wanted[name] for name in wanted))


@operation("GET", "/v1/disputes/{dispute}")
def retrieve(ctx: Context) -> Object:
    return ctx.get("dispute", ctx.path["dispute"])


@operation("POST", "/v1/disputes/{dispute}", takes=("evidence", "metadata", "submit"))
def update(ctx: Context) -> Object:
    dispute = _open(ctx)
    given = ctx.params.get("evidence") or {}
    for name in given.keys() - set(_EVIDENCE):
        raise invalid(f"The sandbox has no evidence[{name}] yet.", param=f"evidence[{name}]", status=501)
    dispute["evidence"] |= given
    merge_metadata(dispute, ctx)
    if given:
        dispute["evidence_details"]["has_evidence"] = True
    if given and ctx.params.get("submit", True):
        dispute["evidence_details"]["submission_count"] += 1
        dispute["evidence_details"]["submission_method"] = "manual"
        inquiry = dispute["status"].startswith("warning")
        dispute["status"] = "warning_under_review" if inquiry else "under_review"
    ctx.updated("charge.dispute.updated", dispute)
    decided = _DECIDED.get(given.get("uncategorized_text", ""))
    if decided is not None and dispute["status"] == "under_review":
        _decide(ctx, dispute, decided)
    return dispute


@operation("POST", "/v1/disputes/{dispute}/close")
def close(ctx: Context) -> Object:
    """The tenant gives in: the dispute is lost."""
    dispute = _open(ctx)
    if dispute["status"].startswith("warning"):
        dispute["status"] = "warning_closed"
        ctx.emit("charge.dispute.closed", dispute)
        return dispute
    _decide(ctx, dispute, "lost")
    return dispute


def _open(ctx: Context) -> Object:
    dispute = ctx.edit("dispute", ctx.path["dispute"])
    if dispute["status"] not in _OPEN:
        raise invalid(f"This dispute is already closed: it is {dispute['status']}.")
    return dispute


def _decide(ctx: Context, dispute: Object, outcome: str) -> None:
    dispute["status"] = outcome
    if outcome == "won":
        dispute["balance_transactions"].append(balance_transactions.of_dispute(ctx, dispute, back=True))
        ctx.emit("charge.dispute.funds_reinstated", dispute)
    ctx.emit("charge.dispute.closed", dispute)
