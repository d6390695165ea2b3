"""Balances too small for a card: they go on the payer's next invoice instead of waiting for ever.

Nothing is posted for it. What is owed moves from one invoice of the payer to another in the same currency, so
the payer's receivable is the same before and after; the entries of both invoices stand (M25).
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.utils.module_loading import import_string

from callbill.domain.invoicing.models import DUE, Invoice
from callbill.rules.dunning import smallest_charge
from callbill.rules.lifecycle import OWED, InvoiceEvent, InvoiceStatus, after

_GIVES_BACK = (InvoiceStatus.PAID.value, *OWED)


def to_bring_forward(invoice: Invoice) -> list[Invoice]:
    """The payer's earlier invoices, locked, that are too small for a card and that nothing holds back.

    None onto an invoice on which nothing is to be paid itself: credit covers it, and they can wait. `invoice`
    is the new one, a draft; the payer's row must be locked.
    """
    if invoice.due_minor == 0:
        return []
    small = Invoice.objects.alias(due=DUE).filter(
        payer_id=invoice.payer_id,
        currency=invoice.currency,
        status__in=OWED,
        due__gt=0,
        due__lt=smallest_charge(invoice.currency).minor,
        # Once: what was brought forward before is known by the one invoice that it is on.
        carried_to=None,
    )
    held_back = import_string(settings.INVOICE_STAYS_OPEN)
    return [each for each in small.order_by("number").select_for_update() if not held_back(each)]


def carry_forward(small: list[Invoice], to: Invoice, now: datetime) -> None:
    """Settle the small invoices: what is due on them goes to `to`, whose `brought_minor` is their sum."""
    assert to.brought_minor == sum(each.due_minor for each in small), "what one gives the other takes"
    for each in small:
        each.carried_minor += each.due_minor
        each.carried_to = to
        each.status = after(InvoiceStatus(each.status), InvoiceEvent.CARRY).value
        each.paid_at = now
        each.save(update_fields=["carried_minor", "carried_to", "status", "paid_at"])


def carried_to(invoice: Invoice) -> list[Invoice]:
    """The invoices whose small balances were brought forward to this one, by number."""
    return list(Invoice.objects.filter(carried_to=invoice).order_by("number"))


def cannot_give_back(invoice: Invoice) -> str:
    """The number of an invoice that cannot take back what it carried to this one; "" if all can."""
    stuck = [each.number or "" for each in carried_to(invoice) if each.status not in _GIVES_BACK]
    return stuck[0] if stuck else ""


def give_back(invoice: Invoice) -> list[Invoice]:
    """`invoice` is void: what it brought forward is owed on the earlier invoices again, as it was before."""
    given = list(Invoice.objects.filter(carried_to=invoice).order_by("number").select_for_update())
    for each in given:
        each.status = after(InvoiceStatus(each.status), InvoiceEvent.CARRY_BACK).value
        if each.status == InvoiceStatus.OPEN.value and each.past_due_at is not None:
            each.status = after(InvoiceStatus.OPEN, InvoiceEvent.FALL_DUE).value
        each.carried_minor, each.carried_to, each.paid_at = 0, None, None
        each.save(update_fields=["carried_minor", "carried_to", "status", "paid_at"])
    return given
