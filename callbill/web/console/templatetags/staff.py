"""Words and figures that only staff pages need."""

from __future__ import annotations

import re
from datetime import date
from itertools import zip_longest
from typing import Any

from django import template

from callbill.lib import formats
from callbill.rules.money import Money
from callbill.web.console.forms import KINDS

register = template.Library()

_ACTIONS = {
    "add_adjustment": "Added an adjustment",
    "credit_lines": "Credited lines",
    "record_bank_payment": "Recorded a bank payment",
    "return_bank_payment": "Took a bank payment back",
    "refund_to_card": "Refunded to the card",
    "take_over_refund": "Took over a refund made at Stripe",
    "approve_proposal": "Approved a proposed credit",
    "change_collection": "Changed how we collect",
    "correct_call": "Corrected a billed call",
    "enter_outage": "Entered an outage",
    "lift_collection_stop": "Lifted the stop of collection",
    "reconcile": "Asked for a reconciliation",
    "refuse_proposal": "Refused a proposed credit",
    "retry_payment": "Retried the payment",
    "place_hold": "Placed a hold",
    "lift_hold": "Lifted a hold",
    "run_billing": "Ran billing",
    "stop_waiting": "Gave the payment up",
    "say_not_charged": "Said that nothing was charged",
    "void_invoice": "Voided the invoice",
    "write_off": "Wrote the invoice off",
    "verify_invoices": "Asked for verification",
}
_TRIGGERS = {"schedule": "On schedule", "staff": "By staff", "command": "On the command line"}
_PROPOSAL_TONES = {"proposed": "wait", "approved": "good"}
_IMPORT_TONES = {"done": "good", "failed": "bad", "running": "wait"}


@register.filter
def action_words(action: str) -> str:
    """What staff did, as a sentence's beginning: "Retried the payment"."""
    return _ACTIONS.get(action) or action.replace("_", " ").capitalize()


@register.filter
def trigger_words(trigger: str) -> str:
    """What started a billing run."""
    return _TRIGGERS.get(trigger) or trigger.replace("_", " ").capitalize()


@register.filter
def kind_words(kind: str) -> str:
    """The kind of an adjustment."""
    return dict(KINDS).get(kind, kind)


@register.filter
def import_tone(status: str) -> str:
    """The colour of an import's status."""
    return _IMPORT_TONES.get(status, "")


@register.filter
def proposal_tone(state: str) -> str:
    """The colour of a proposal's state."""
    return _PROPOSAL_TONES.get(state, "")


@register.filter
def code_words(code: str) -> str:
    """A code such as "company_unknown" as words: "Company unknown"."""
    return code.replace("_", " ").capitalize()


@register.filter
def detail_words(details: dict[str, Any]) -> str:
    """What a staff action changed, as sentences: "Amount: 60.00 USD. Method: bank transfer."."""
    said = [f"{code_words(name)}: {_detail(str(value))}." for name, value in details.items() if value]
    return " ".join(said)


def _detail(value: str) -> str:
    """A value without code: "bank_transfer" as "bank transfer", "2026-10-09" as "9 October 2026"."""
    if re.fullmatch(r"[a-z]+(_[a-z]+)+", value):
        return value.replace("_", " ")
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return formats.day(date.fromisoformat(value))
    return value.removesuffix(".")


@register.filter
def seconds(milliseconds: int | None) -> str:
    """A duration: "61.25 s". Nothing for None."""
    if milliseconds is None:
        return ""
    whole, rest = divmod(milliseconds, 1000)
    decimals = f"{rest:03d}".rstrip("0")
    return f"{formats.figure(whole)}{'.' + decimals if decimals else ''} s"


@register.filter
def minor_money(minor: int, currency: str) -> str:
    """An amount kept as minor units: 4250 with "USD" is "$42.50 USD"."""
    return formats.money(Money(minor, currency), with_code=True)


@register.filter
def row_cells(row: dict[str, Any]) -> list[tuple[str, str]]:
    """A row that was set aside, as (column, value) pairs; one that is no record as its text alone."""
    if "values" not in row:
        return [("", str(row.get("text", "")))]
    return list(zip_longest(row.get("columns", []), row["values"], fillvalue=""))
