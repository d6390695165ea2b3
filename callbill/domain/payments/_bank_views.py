"""Money that came by bank transfer or cheque, in words: page, receipt, mail and console say the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db.models import Sum

from callbill.domain.customers.queries import NotFound, Viewer, visible_payers
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments._words import why_it_waits
from callbill.domain.payments.models import BankPayment
from callbill.lib import formats
from callbill.rules.lifecycle import InvoiceEvent, InvoiceStatus, MoveRefused
from callbill.rules.money import Money

BANK_METHODS: tuple[tuple[str, str], ...] = tuple((m.value, str(m.label)) for m in BankPayment.Method)


@dataclass(frozen=True, slots=True)
class BankPaymentView:
    """Money that staff recorded. `what` is all of it in words; `surplus` went to the credit balance.

    `returned` says when and why it was taken back, "" while it stands.
    """

    id: UUID
    what: str  # "Bank transfer, received 3 May 2026, reference X"
    amount: Money
    surplus: Money
    received_on: date
    recorded_at: datetime
    returned: str

    @property
    def paid(self) -> Money:
        """What of it paid the invoice."""
        return self.amount - self.surplus


def in_words(payment: BankPayment) -> str:
    """ "Bank transfer, received 3 May 2026, reference X"."""
    received = formats.day(payment.received_on)
    return f"{payment.get_method_display()}, received {received}, reference {payment.reference}"


def bank_payments(viewer: Viewer, invoice_id: UUID) -> list[BankPaymentView]:
    """What came for the invoice by bank, newest first; none for those who do not see its payer's payments."""
    rows = BankPayment.objects.filter(invoice_id=invoice_id, invoice__payer__in=visible_payers(viewer))
    return [_view(row) for row in rows.order_by("-recorded_at", "-id")]


def bank_payment(viewer: Viewer, payment_id: UUID) -> tuple[BankPaymentView, str]:
    """A bank payment for taking it back, and the number of its invoice. Staff only; raises NotFound."""
    row = BankPayment.objects.filter(id=payment_id).select_related("invoice").first()
    if row is None or not viewer.is_staff:
        raise NotFound("There is no such bank payment.")
    return _view(row), row.invoice.number or ""


def _view(row: BankPayment) -> BankPaymentView:
    on = formats.day(row.returned_on) if row.returned_on else ""
    return BankPaymentView(
        id=row.id,
        what=in_words(row),
        amount=Money(row.amount_minor, row.currency),
        surplus=Money(row.surplus_minor, row.currency),
        received_on=row.received_on,
        recorded_at=row.recorded_at,
        returned=f"Returned {on}: {row.returned_because}" if on else "",
    )


def why_no_bank_payment(viewer: Viewer, invoice_id: UUID) -> str:
    """Why no bank payment can be recorded for the invoice now, in words; "" if it can.

    Staff only. Raises NotFound.
    """
    invoice = Invoice.objects.filter(id=invoice_id).first()
    if invoice is None or not viewer.is_staff:
        raise NotFound("There is no such invoice.")
    status = InvoiceStatus(invoice.status)
    if status in (InvoiceStatus.DRAFT, InvoiceStatus.VOID):
        return str(MoveRefused(status, InvoiceEvent.PAY))
    return why_it_waits(invoice.id)


def why_not_returned(viewer: Viewer, payment_id: UUID) -> str:
    """Why a bank payment cannot be taken back now, in words; "" if it can. Staff only. Raises NotFound."""
    row = BankPayment.objects.filter(id=payment_id).select_related("invoice").first()
    if row is None or not viewer.is_staff:
        raise NotFound("There is no such bank payment.")
    if row.returned_at is not None:
        return f"This payment was taken back already. {_view(row).returned}"
    try:
        invoicing.refuse_used_credit(row.invoice, Money(row.surplus_minor, row.currency))
    except invoicing.CreditUsed as refusal:
        return str(refusal)
    return why_it_waits(row.invoice_id)


def surpluses() -> dict[tuple[UUID, str], int]:
    """What of bank payments went to credit balances and stayed, in minor units, by payer and currency."""
    rows = BankPayment.objects.filter(surplus_minor__gt=0, returned_at=None)
    sums = rows.values_list("invoice__payer_id", "currency").annotate(total=Sum("surplus_minor"))
    return {(payer_id, currency): total for payer_id, currency, total in sums}
