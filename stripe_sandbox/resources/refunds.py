"""/v1/refunds: giving money back, never more than was taken; two test cards make refunds late or fail."""

from __future__ import annotations

from .. import cards
from ..context import Context
from ..endpoint import Endpoint
from ..errors import invalid, mistake
from ..ids import new_id
from ..lists import CREATED, PAGING, equals, page
from ..schema import Choice, Integer, Params, Rule, Text, merge_metadata
from ..storage import Document
from . import disputing
from .booking import REFUND, REFUND_FAILURE, book
from .shapes import METADATA


def create(ctx: Context) -> Document:
    """Refund a charge, wholly or in part."""
    charge = _charge(ctx)
    left = charge["amount"] - charge["amount_refunded"]
    if not charge["paid"]:
        raise invalid(
            f"The charge {charge['id']} has failed and cannot be refunded.", code="charge_not_refundable"
        )
    if left == 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if charge["disputed"] and not disputing.refundable(ctx, charge):
        raise invalid(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    amount = ctx.params.get("amount", left)
    if amount > left:
        raise invalid(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left}).", param="amount"
        )
    note = ctx.store.note("card", charge["payment_method"])
    behaviour = cards.find(note.get("number", "")).refund
    refund: Document = {
        "id": new_id("refund"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": ctx.now,
        "currency": charge["currency"],
        "destination_details": {
            "card": {
                "reference_status": "pending",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        },
        "metadata": merge_metadata({}, ctx.params.get("metadata") or {}),
        "payment_intent": charge["payment_intent"],
        "reason": ctx.params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if behaviour == "pending" else "succeeded",
        "transfer_reversal": None,
    }
    words = f"REFUND FOR CHARGE ({charge['description'] or charge['id']})"
    refund["balance_transaction"] = book(ctx, refund, REFUND, -amount, words=words)["id"]
    ctx.insert(refund, "refund.created")
    was = ctx.snapshot(charge)
    _give_back(ctx, charge, amount)
    ctx.emit(
        "charge.refunded",
        charge,
        {name: was[name] for name in ("amount_refunded", "refunded") if was[name] != charge[name]},
    )
    disputing.settle_warnings(ctx, charge["id"])
    if behaviour:
        action = "refund_succeeds" if behaviour == "pending" else "refund_fails"
        ctx.later(ctx.settings.refund_after, action, refund["id"])
    return refund


def retrieve(ctx: Context) -> Document:
    """The refund."""
    return ctx.load("refund", ctx.path[0])


def update(ctx: Context) -> Document:
    """Change a refund's metadata."""
    refund = ctx.load("refund", ctx.path[0])
    was = ctx.snapshot(refund)
    if "metadata" in ctx.params:
        refund["metadata"] = merge_metadata(refund["metadata"], ctx.params["metadata"])
    return refund if refund == was else ctx.replace(refund, "refund.updated", was=was)


def cancel(ctx: Context) -> Document:
    """Only refunds that wait for the customer can be canceled, and a card's never do: always 400."""
    refund = ctx.load("refund", ctx.path[0])
    raise invalid(
        f"You cannot cancel this refund because it has a status of {refund['status']}. Only a refund with "
        "the status requires_action may be canceled.",
        param="id",
    )


def list_all(ctx: Context) -> Document:
    """Refunds of a charge or a PaymentIntent."""
    return page(ctx, "refund", "/v1/refunds", equals(ctx.params, "charge", "payment_intent"))


def succeed_later(ctx: Context, refund_id: str) -> None:
    """The pending refund of 4000 0000 0000 7726 arrives."""
    refund = ctx.store.get("refund", refund_id)
    if refund and refund["status"] == "pending":
        was = ctx.snapshot(refund)
        refund["status"] = "succeeded"
        ctx.replace(refund, "refund.updated", was=was)


def fail_later(ctx: Context, refund_id: str) -> None:
    """The refund of 4000 0000 0000 5126 comes back; the money is the account's again."""
    refund = ctx.store.get("refund", refund_id)
    if refund is None or refund["status"] != "succeeded":
        return
    was = ctx.snapshot(refund)
    refund.update(status="failed", failure_reason="expired_or_canceled_card")
    words = f"REFUND FAILURE ({refund['id']})"
    line = book(ctx, refund, REFUND_FAILURE, refund["amount"], words=words)
    refund["failure_balance_transaction"] = line["id"]
    ctx.replace(refund, "refund.updated", was=was)
    ctx.emit("refund.failed", refund)
    charge = ctx.load("charge", refund["charge"])
    before = ctx.snapshot(charge)
    _give_back(ctx, charge, -refund["amount"])
    ctx.emit(
        "charge.updated",
        charge,
        {name: before[name] for name in ("amount_refunded", "refunded") if before[name] != charge[name]},
    )


def _charge(ctx: Context) -> Document:
    charge_id, intent_id = ctx.params.get("charge"), ctx.params.get("payment_intent")
    if charge_id:
        return ctx.load("charge", charge_id, param="charge")
    if not intent_id:
        raise mistake(
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
            param="charge",
        )
    intent = ctx.load("payment_intent", intent_id, param="payment_intent")
    if intent["status"] != "succeeded":
        raise invalid(
            f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
            param="payment_intent",
            code="payment_intent_unexpected_state",
        )
    return ctx.load("charge", intent["latest_charge"])


def _give_back(ctx: Context, charge: Document, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    ctx.store.replace(charge)


_CREATE: dict[str, Rule] = {
    "amount": Integer(1),
    "charge": Text(),
    "metadata": METADATA,
    "payment_intent": Text(),
    "reason": Choice("duplicate", "fraudulent", "requested_by_customer"),
}
_LIST: dict[str, Rule] = {**PAGING, "created": CREATED, "charge": Text(), "payment_intent": Text()}
ENDPOINTS = [
    Endpoint("POST", "/v1/refunds", create, Params(_CREATE)),
    Endpoint("GET", "/v1/refunds", list_all, Params(_LIST)),
    Endpoint("GET", "/v1/refunds/{id}", retrieve),
    Endpoint("POST", "/v1/refunds/{id}", update, Params({"metadata": METADATA})),
    Endpoint("POST", "/v1/refunds/{id}/cancel", cancel),
]
