"""What staff do in the demo's year: credit, refund, hold, and record money that came without a card."""

from __future__ import annotations

from callbill.config.demo.stage import Stage, collect, newest_invoice, payer_of, save_card, staff
from callbill.domain.disputes.operations import place_hold
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Adjustment, CreditNote, Invoice, InvoiceLine
from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import BankPayment, Refund
from callbill.jobs import work
from callbill.rules.money import Money

_INCIDENT = "INC-2291"
_MIA, _SAM = "mia@cic.example", "sam@cic.example"
BY_TRANSFER = "paul@orchard-property.example"
HELD = "luis@summit-plumbing.example"
REFUNDED = "ruth@meridian-health.example"
_THEIR_CARD = "5555555555554444"


def credit_outage(stage: Stage) -> None:
    """Staff grant a credit for two hours in which no calls came through."""
    payer = payer_of("dana@harbor-dental.example")
    assert payer.company is not None
    if Adjustment.objects.filter(company=payer.company, incident=_INCIDENT).exists():
        return
    invoicing.add_adjustment(
        company_id=payer.company.id,
        kind=Adjustment.Kind.OUTAGE_CREDIT,
        name="Credit for the outage of 11 " + stage.now.strftime("%B"),
        amount=Money(-8500, "USD"),
        reason="Calls did not come through from 14:05 to 16:10; agreed with Dana Reyes by telephone.",
        actor_id=staff(_MIA),
        now=stage.now,
        period=stage.now.strftime("%Y-%m"),
        incident=_INCIDENT,
    )


def refund_fee(stage: Stage) -> None:
    """A fee was charged for something that did not run: its line is credited and the card gets it back."""
    if stage.sandbox is None:
        return
    invoice = newest_invoice(REFUNDED)
    if Refund.objects.filter(credit_note__invoice=invoice).exists():
        return
    line = InvoiceLine.objects.filter(section__invoice=invoice, name="Booking integration").first()
    assert line is not None
    said = "The booking integration of one practice did not run that month; Ruth Adeyemi asked for a refund."
    note = CreditNote.objects.filter(invoice=invoice).first() or invoicing.credit_lines(
        invoice_id=invoice.id, amounts={line.id: None}, reason=said, actor_id=staff(_MIA), now=stage.now
    )
    payments.refund_to_card(note_id=note.id, actor_id=staff(_MIA), reason=said, now=stage.now)
    work.deliver(now=stage.now)


def hold_a_part(stage: Stage) -> None:
    """The customer questions a part of what is past due: it is not charged until that is settled."""
    place_hold(
        invoice_id=newest_invoice(HELD).id,
        kind="question",
        cause="Luis Ortega, by telephone",
        amount=Money(6000, "USD"),
        reason="You told us that about fifty calls were meant for another plumber; we are listening to them.",
        actor_id=staff(_SAM),
        now=stage.now,
    )


def transfer_all(stage: Stage) -> None:
    """A bank transfer comes in for all of the invoice."""
    invoice = newest_invoice(BY_TRANSFER)
    _record(stage, invoice, Money(invoice.due_minor, invoice.currency), f"ORCHARD-{invoice.number}")


def transfer_too_little(stage: Stage) -> None:
    """A bank transfer comes in with its bank's fee taken off: the rest is too small for a card."""
    invoice = newest_invoice(BY_TRANSFER)
    _record(stage, invoice, Money(invoice.due_minor - 35, invoice.currency), f"ORCHARD-{invoice.number}")


def transfer_a_part(stage: Stage) -> None:
    """A bank transfer comes in for a part of the invoice."""
    invoice = newest_invoice(BY_TRANSFER)
    _record(
        stage, invoice, Money(invoice.due_minor // 300 * 100, invoice.currency), f"ORCHARD-{invoice.number}"
    )


def card_for_the_rest(stage: Stage) -> None:
    """The customer who paid by transfer saves a card, which is charged for the rest."""
    if stage.sandbox:
        save_card(stage, BY_TRANSFER, _THEIR_CARD)
        collect(stage)


def _record(stage: Stage, invoice: Invoice, amount: Money, reference: str) -> None:
    if BankPayment.objects.filter(reference=reference).exists():
        return
    payments.record_bank_payment(
        invoice_id=invoice.id,
        method=BankPayment.Method.BANK_TRANSFER.value,
        amount=amount,
        reference=reference,
        received_on=stage.now.date(),
        reason="On the bank's statement of today.",
        actor_id=staff(_SAM),
        now=stage.now,
    )
    work.deliver(now=stage.now)
