"""Charging a card: the charge, its fee, what the bank answered, and the books' line that follows."""

from __future__ import annotations

from .. import cards, events
from ..cards import Refusal
from ..context import Context
from ..ids import new_id
from ..storage import Document
from .booking import CHARGE, book, fee_of


def charge(
    ctx: Context, intent: Document, method: Document, refusal: Refusal | None, *, authenticated: bool
) -> Document:
    """A charge of the intent's amount, succeeded, or failed with `refusal`; the caller tells its event."""
    paid = refusal is None
    suffix = intent["statement_descriptor_suffix"]
    made: Document = {
        "id": new_id("charge"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if paid else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": f"SANDBOX* {suffix}"[:22] if suffix else "SANDBOX",
        "captured": paid,
        "created": ctx.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None if paid else refusal.code,  # type: ignore[union-attr]
        "failure_message": None if paid else refusal.words(),  # type: ignore[union-attr]
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": _outcome(refusal),
        "paid": paid,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {
            "type": "card",
            "card": _card(intent, method, authenticated=authenticated),
        },
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": suffix,
        "status": "succeeded" if paid else "failed",
        "transfer_data": None,
        "transfer_group": None,
    }
    ctx.store.insert(made)
    if paid and intent["capture_method"] == "automatic":
        settle(ctx, made)
    elif paid:
        ctx.later(ctx.settings.settle_after, "settle", made["id"])
    follows = cards.find(ctx.store.note("card", method["id"]).get("number", "")).then
    if paid and follows:
        ctx.later(ctx.settings.dispute_after, follows, made["id"])
    return made


def settle(ctx: Context, made: Document) -> str:
    """Give a charge its balance transaction (no event); the charge as JSON."""
    line = book(ctx, made, CHARGE, made["amount"], fee_of(made["amount"]), words=made["description"])
    made["balance_transaction"] = line["id"]
    return ctx.store.replace(made)


def settle_later(ctx: Context, charge_id: str) -> None:
    """What `capture_method: automatic_async` leaves for afterwards, told as charge.updated."""
    made = ctx.store.get("charge", charge_id)
    if made is None or made["balance_transaction"]:
        return
    text = settle(ctx, made)
    events.emit(ctx, "charge.updated", made, {"balance_transaction": None}, text)


def _outcome(refusal: Refusal | None) -> Document:
    if refusal is None:
        return {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "risk_score": 20,
            "seller_message": "Payment complete.",
            "type": "authorized",
        }
    if refusal.blocked:
        return {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "not_sent_to_network",
            "reason": "highest_risk_level",
            "risk_level": "highest",
            "risk_score": 95,
            "seller_message": "Stripe blocked this payment as too risky.",
            "type": "blocked",
        }
    return {
        "advice_code": refusal.advice_code,
        "network_advice_code": None,
        "network_decline_code": refusal.network_decline_code,
        "network_status": "declined_by_network",
        "reason": refusal.decline_code or refusal.code,
        "risk_level": "normal",
        "risk_score": 30,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }


def _card(intent: Document, method: Document, *, authenticated: bool) -> Document:
    card = method["card"]
    secure = None
    if authenticated:
        secure = {
            "authentication_flow": "challenge",
            "electronic_commerce_indicator": "05",
            "exemption_indicator": None,
            "result": "authenticated",
            "result_reason": None,
            "transaction_id": None,
            "version": "2.2.0",
        }
    return {
        "amount_authorized": intent["amount"],
        "authorization_code": None,
        "brand": card["brand"],
        "checks": card["checks"],
        "country": card["country"],
        "exp_month": card["exp_month"],
        "exp_year": card["exp_year"],
        "extended_authorization": {"status": "disabled"},
        "fingerprint": card["fingerprint"],
        "funding": card["funding"],
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": card["last4"],
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
        "regulated_status": "unregulated",
        "three_d_secure": secure,
        "wallet": None,
    }
