"""Giving a payment up: whether staff may, and the form with which they do."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from callbill.domain.customers.queries import Viewer
from callbill.domain.payments import queries as payments
from callbill.web.console.forms import GiveUpForm


def waits_to_be_given_up(viewer: Viewer, invoice_id: UUID) -> bool:
    """Whether a payment of the invoice waits for its cardholder, and nobody has given it up yet."""
    return payments.waits_for_cardholder(invoice_id) and not _is_given_up(viewer, invoice_id)


def give_up_form(viewer: Viewer, invoice_id: UUID, *, now: datetime) -> GiveUpForm | None:
    """The form for a payment that waits, is in doubt, or was given up and is not over; else None."""
    possible = (
        payments.waits_for_cardholder(invoice_id)
        or payments.is_in_doubt(invoice_id, now=now)
        or _is_given_up(viewer, invoice_id)
    )
    return GiveUpForm(auto_id="give_up_%s") if possible else None


def _is_given_up(viewer: Viewer, invoice_id: UUID) -> bool:
    return any(attempt.given_up for attempt in payments.attempts(viewer, invoice_id)[:1])
