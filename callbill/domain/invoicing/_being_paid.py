"""Leaving an invoice alone while a card is being charged for it.

Payments stands above invoicing, so `settings.INVOICE_BEING_PAID` names the function there that knows.
"""

from __future__ import annotations

from django.conf import settings
from django.utils.module_loading import import_string

from callbill.domain.invoicing.models import Invoice


class BeingPaid(Exception):
    """A payment is under way; what is owed may not change until its outcome is known."""


def refuse_while_being_paid(invoice: Invoice) -> None:
    """Raise BeingPaid, with words to show, while a payment attempt is alive. The invoice must be locked."""
    why: str = import_string(settings.INVOICE_BEING_PAID)(invoice.id)
    if why:
        raise BeingPaid(f"Invoice {invoice.number} cannot be changed now. {why}")
