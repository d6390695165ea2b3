"""The life of a dispute: raised by the bank, answered with evidence, decided; and warnings of fraud.

A chargeback takes the money and a fee at once; an inquiry takes nothing until the bank escalates it. What
the bank decides is what the evidence's `uncategorized_text` says (docs.stripe.com/testing), or a person
through /_sandbox/disputes; without an answer a chargeback is lost when its evidence was due, and an inquiry
is closed 120 days after it was raised.
"""

from __future__ import annotations

from ..context import Context
from ..ids import new_id
from ..storage import Document
from . import charging
from .booking import DISPUTE, DISPUTE_FEE, DISPUTE_REVERSAL, book

DAY = 86400
DUE_IN_DAYS = 14
INQUIRY_DAYS = 120
WARNING = "radar.early_fraud_warning"
REASONS = (
    "bank_cannot_process",
    "check_returned",
    "credit_not_processed",
    "customer_initiated",
    "debit_not_authorized",
    "duplicate",
    "fraudulent",
    "general",
    "incorrect_account_details",
    "insufficient_funds",
    "noncompliant",
    "product_not_received",
    "product_unacceptable",
    "subscription_canceled",
    "unrecognized",
)
_NETWORK_REASONS = {"fraudulent": "10.4", "product_not_received": "13.1", "duplicate": "12.6"}
INQUIRY = ("warning_needs_response", "warning_under_review")
OPEN = ("needs_response", "under_review", *INQUIRY)
CLOSED = ("won", "lost", "warning_closed")
EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)


def raise_later(ctx: Context, charge_id: str, reason: str, *, inquiry: bool = False) -> None:
    """The dispute of 4000 0000 0000 0259 and 2685, the inquiry of 1976."""
    charge = ctx.store.get("charge", charge_id)
    if charge and not charge["disputed"] and not charge["refunded"]:
        raise_dispute(ctx, charge, reason=reason, inquiry=inquiry)


def warn_later(ctx: Context, charge_id: str) -> None:
    """The early fraud warning of 4000 0000 0000 5423."""
    charge = ctx.store.get("charge", charge_id)
    if charge and not ctx.store.select(WARNING, [("charge = ?", charge_id)], limit=1):
        warn(ctx, charge)


def refundable(ctx: Context, charge: Document) -> bool:
    """Whether a disputed charge may be refunded: an inquiry's may, a chargeback's only once it was won."""
    found = ctx.store.select("dispute", [("charge = ?", charge["id"])], limit=1)
    return not found or bool(found[0]["is_charge_refundable"])


def raise_dispute(
    ctx: Context,
    charge: Document,
    *,
    reason: str = "fraudulent",
    inquiry: bool = False,
    amount: int | None = None,
    due_in_days: int = DUE_IN_DAYS,
) -> Document:
    """A new dispute of `amount` minor units (all not refunded yet); ValueError when it makes no sense."""
    left = charge["amount"] - charge["amount_refunded"]
    amount = left if amount is None else amount
    if not charge["paid"]:
        raise ValueError(f"charge {charge['id']} failed: there is nothing to dispute")
    if not 1 <= amount <= charge["amount"]:
        raise ValueError(f"amount must be between 1 and {charge['amount']}, what was charged")
    if reason not in REASONS:
        raise ValueError(f"reason must be one of {', '.join(REASONS)}")
    earlier = ctx.store.select("dispute", [("charge = ?", charge["id"])], limit=1)
    if earlier and earlier[0]["status"] != "warning_closed":
        raise ValueError(f"charge {charge['id']} was disputed already ({earlier[0]['status']})")
    charging.settle_later(ctx, charge["id"])
    charge = ctx.load("charge", charge["id"])
    dispute = _new(ctx, charge, reason, amount, ctx.now + due_in_days * DAY, inquiry=inquiry)
    if not charge["disputed"]:
        charge["disputed"] = True
        ctx.store.replace(charge)
    if not inquiry:
        _withdraw(ctx, dispute)
    ctx.insert(dispute, "charge.dispute.created")
    if not inquiry:
        ctx.emit("charge.dispute.funds_withdrawn", dispute)
    ctx.later(due_in_days * DAY, "dispute_due", dispute["id"])
    if inquiry:
        ctx.later(INQUIRY_DAYS * DAY, "inquiry_ends", dispute["id"])
    settle_warnings(ctx, charge["id"])
    return dispute


def decide(ctx: Context, dispute: Document, outcome: str) -> Document:
    """Close a dispute as won, lost or warning_closed; ValueError when its state does not allow that."""
    if dispute["status"] not in OPEN:
        raise ValueError(f"dispute {dispute['id']} is closed already: {dispute['status']}")
    inquiry = dispute["status"] in INQUIRY
    if outcome not in CLOSED or inquiry != (outcome == "warning_closed"):
        words = "an inquiry can only be warning_closed" if inquiry else "outcome must be won or lost"
        raise ValueError(f"{words} (dispute {dispute['id']} is {dispute['status']})")
    dispute.update(status=outcome, is_charge_refundable=outcome != "lost")
    if outcome == "won":
        words = f"Chargeback reversal for {dispute['charge']}"
        line = book(ctx, dispute, DISPUTE_REVERSAL, dispute["amount"], -DISPUTE_FEE, words=words)
        dispute["balance_transactions"].append(line)
    ctx.replace(dispute, "charge.dispute.closed")
    if outcome == "won":
        ctx.emit("charge.dispute.funds_reinstated", dispute)
    return dispute


def escalate(ctx: Context, dispute: Document) -> Document:
    """The bank makes an inquiry a chargeback: now the money goes. ValueError when it is no inquiry.

    One about a charge that was wholly refunded is closed instead: there is nothing left to take.
    """
    if dispute["status"] not in INQUIRY:
        raise ValueError(f"only an inquiry can be escalated; dispute {dispute['id']} is {dispute['status']}")
    if ctx.load("charge", dispute["charge"])["refunded"]:
        return decide(ctx, dispute, "warning_closed")
    was = ctx.snapshot(dispute)
    details = dispute["evidence_details"]
    details.update(due_by=ctx.now + DUE_IN_DAYS * DAY, past_due=False)
    dispute.update(status="needs_response", is_charge_refundable=False)
    dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
    _withdraw(ctx, dispute)
    ctx.replace(dispute, "charge.dispute.updated", was=was)
    ctx.emit("charge.dispute.funds_withdrawn", dispute)
    ctx.later(DUE_IN_DAYS * DAY, "dispute_due", dispute["id"])
    return dispute


def warn(ctx: Context, charge: Document, fraud_type: str = "made_with_stolen_card") -> Document:
    """An early fraud warning about a charge; ValueError for one that failed or was warned about."""
    if not charge["paid"]:
        raise ValueError(f"charge {charge['id']} failed: there is nothing to warn about")
    if ctx.store.select(WARNING, [("charge = ?", charge["id"])], limit=1):
        raise ValueError(f"charge {charge['id']} has an early fraud warning already")
    warning = {
        "id": new_id(WARNING),
        "object": WARNING,
        "actionable": not charge["refunded"] and not charge["disputed"],
        "charge": charge["id"],
        "created": ctx.now,
        "fraud_type": fraud_type,
        "livemode": False,
        "payment_intent": charge["payment_intent"],
    }
    return ctx.insert(warning, "radar.early_fraud_warning.created")


def settle_warnings(ctx: Context, charge_id: str) -> None:
    """A warning is no longer actionable once its charge was refunded or disputed."""
    for warning in ctx.store.select(WARNING, [("charge = ?", charge_id)], limit=1):
        if warning["actionable"]:
            was = ctx.snapshot(warning)
            warning["actionable"] = False
            ctx.replace(warning, "radar.early_fraud_warning.updated", was=was)


def win_later(ctx: Context, dispute_id: str) -> None:
    """`winning_evidence`; an inquiry with it is closed."""
    dispute = ctx.store.get("dispute", dispute_id)
    if dispute and dispute["status"] in OPEN:
        decide(ctx, dispute, "warning_closed" if dispute["status"] in INQUIRY else "won")


def lose_later(ctx: Context, dispute_id: str) -> None:
    """`losing_evidence`; an inquiry with it is closed."""
    dispute = ctx.store.get("dispute", dispute_id)
    if dispute and dispute["status"] in OPEN:
        decide(ctx, dispute, "warning_closed" if dispute["status"] in INQUIRY else "lost")


def escalate_later(ctx: Context, dispute_id: str) -> None:
    """`escalate_inquiry_evidence`."""
    dispute = ctx.store.get("dispute", dispute_id)
    if dispute and dispute["status"] in INQUIRY:
        escalate(ctx, dispute)


def due_later(ctx: Context, dispute_id: str) -> None:
    """Nobody answered in time: a chargeback is lost, an inquiry waits for its end."""
    dispute = ctx.store.get("dispute", dispute_id)
    if (
        dispute is None
        or not dispute["status"].endswith("needs_response")
        or dispute["evidence_details"]["due_by"] > ctx.now + 1
    ):
        return
    was = ctx.snapshot(dispute)
    dispute["evidence_details"]["past_due"] = True
    ctx.replace(dispute, "charge.dispute.updated", was=was)
    if dispute["status"] == "needs_response":
        decide(ctx, dispute, "lost")


def end_inquiry_later(ctx: Context, dispute_id: str) -> None:
    """120 days have passed without an escalation."""
    dispute = ctx.store.get("dispute", dispute_id)
    if dispute and dispute["status"] in INQUIRY:
        decide(ctx, dispute, "warning_closed")


def _new(ctx: Context, charge: Document, reason: str, amount: int, due: int, *, inquiry: bool) -> Document:
    card = charge["payment_method_details"]["card"]
    return {
        "id": new_id("dispute"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": ctx.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": due,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "network_reason_code": _NETWORK_REASONS.get(reason),
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "type": "card",
            "card": {
                "brand": card["brand"],
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": card["network"],
                "network_reason_code": _NETWORK_REASONS.get(reason),
            },
        },
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }


def _withdraw(ctx: Context, dispute: Document) -> None:
    words = f"Chargeback withdrawal for {dispute['charge']}"
    line = book(ctx, dispute, DISPUTE, -dispute["amount"], DISPUTE_FEE, words=words)
    dispute["balance_transactions"].append(line)
