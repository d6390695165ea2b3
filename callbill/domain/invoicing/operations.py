"""What changes about invoices."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from callbill.domain.customers.models import Company
from callbill.domain.invoicing._audit import record_on_invoice
from callbill.domain.invoicing._bank import (
    AlreadyRecorded,
    AlreadyReturned,
    Banked,
    CreditUsed,
    TakenBack,
    record_bank_money,
    refuse_used_credit,
    return_bank_money,
)
from callbill.domain.invoicing._being_paid import BeingPaid, refuse_while_being_paid
from callbill.domain.invoicing._charging_back import charge_back, undo_charge_back
from callbill.domain.invoicing._closing import Voided, VoidRefused, void_invoice, write_off
from callbill.domain.invoicing._credit_document import credit_note_attachment, credit_note_pdf
from callbill.domain.invoicing._crediting import CreditRefused, credit_lines
from callbill.domain.invoicing._deciding import CannotDecide, approve_proposal, refuse_proposal
from callbill.domain.invoicing._document_store import issued_pdf, pdf_for
from callbill.domain.invoicing._issuing import issue_next
from callbill.domain.invoicing._numbers import next_number
from callbill.domain.invoicing._outages import OutageRefused, propose_outage_credit
from callbill.domain.invoicing._proposing import ProposingReport, propose_corrections
from callbill.domain.invoicing._running import RunReport, run_billing
from callbill.domain.invoicing._settling import Overpaid, fall_past_due, record_payment
from callbill.domain.invoicing._verification import ask_for_verification, verify_asked, verify_sample
from callbill.domain.invoicing.models import Adjustment
from callbill.domain.users.operations import record_staff_action
from callbill.lib.transactions import in_transaction
from callbill.rules.money import Money

__all__ = [
    "AlreadyRecorded",
    "AlreadyReturned",
    "Banked",
    "BeingPaid",
    "CannotDecide",
    "CreditRefused",
    "CreditUsed",
    "OutageRefused",
    "Overpaid",
    "ProposingReport",
    "RunReport",
    "TakenBack",
    "VoidRefused",
    "Voided",
    "add_adjustment",
    "approve_proposal",
    "ask_for_verification",
    "charge_back",
    "credit_lines",
    "credit_note_attachment",
    "credit_note_pdf",
    "fall_past_due",
    "issue_next",
    "issued_pdf",
    "next_number",
    "pdf_for",
    "propose_corrections",
    "propose_outage_credit",
    "record_bank_money",
    "record_on_invoice",
    "record_payment",
    "refuse_proposal",
    "refuse_used_credit",
    "refuse_while_being_paid",
    "return_bank_money",
    "run_billing",
    "undo_charge_back",
    "verify_asked",
    "verify_sample",
    "void_invoice",
    "write_off",
]


@in_transaction
def add_adjustment(
    *,
    company_id: UUID,
    kind: str,
    name: str,
    amount: Money,
    reason: str,
    actor_id: UUID,
    now: datetime,
    period: str = "",
    incident: str = "",
) -> Adjustment:
    """A credit (negative) or charge that goes on the company's next invoice: who, why, which period (M22).

    Raises ReasonMissing without a reason. The action is in the audit log.
    """
    company = Company.objects.get(id=company_id)
    adjustment = Adjustment.objects.create(
        company=company,
        kind=Adjustment.Kind(kind),
        name=name,
        amount_minor=amount.minor,
        currency=amount.currency,
        reason=reason,
        period=period,
        incident=incident,
        created_at=now,
        created_by_id=actor_id,
    )
    record_staff_action(
        actor_id=actor_id,
        action="add_adjustment",
        subject_kind="company",
        subject_id=str(company.id),
        subject_label=company.name,
        reason=reason,
        details={"name": name, "amount": str(amount), "period": period, "incident": incident},
        now=now,
    )
    return adjustment
