"""An invoice for staff: its lines and how they were computed, attempts with codes, and what staff can do."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from callbill.domain.customers.queries import NotFound, Viewer, company_keys_of
from callbill.domain.disputes import queries as disputes
from callbill.domain.invoicing import operations as issuing
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.invoicing.queries import InvoiceDetail
from callbill.domain.payments import operations as paying
from callbill.domain.payments import queries as payments
from callbill.domain.users.queries import staff_actions
from callbill.lib import clock, formats
from callbill.rules.lifecycle import MOVES, InvoiceEvent, InvoiceStatus
from callbill.web.console.door import staff_page
from callbill.web.console.forms import GiveUpForm, ReasonForm

_DEEDS = (
    (InvoiceEvent.CREDIT, "credit", "Credit lines…"),
    (InvoiceEvent.VOID, "void", "Void and bill again…"),
    (InvoiceEvent.WRITE_OFF, "write_off", "Write off…"),
)


def _deeds(status: InvoiceStatus) -> list[tuple[str, str]]:
    """What can be done about an invoice: addresses and words. Money may come for one that is paid, too."""
    can = [(f"console:{name}", words) for event, name, words in _DEEDS if (status, event) in MOVES]
    if status not in (InvoiceStatus.DRAFT, InvoiceStatus.VOID):
        can.append(("console:bank_payment", "Record a bank payment…"))
    return can


@require_safe
@staff_page
def invoice(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """The invoice."""
    return _page(request, viewer, invoicing.invoice_for(viewer, number))


@require_safe
@staff_page
def verification(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """The invoice with the outcome of computing it again from its stored calls, terms and inputs."""
    detail = invoicing.invoice_for(viewer, number)
    return _page(
        request, viewer, detail, verified=True, differences=invoicing.verify_invoice(detail.summary.number)
    )


@require_POST
@staff_page
def retry(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """Charge the default card now, and say how it went."""
    detail = invoicing.invoice_for(viewer, number)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _page(request, viewer, detail, form=form, status=422)
    seen = request.POST.get("seen", "")
    try:
        attempt = paying.retry_now(
            invoice_id=detail.summary.id,
            actor_id=viewer.user_id,
            reason=form.cleaned_data["reason"],
            now=clock.now(),
            seen=int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 9 else None,
        )
    except paying.PaymentRefused as refusal:
        messages.error(request, f"Not charged. {refusal}")
    else:
        _tell(request, attempt)
    return redirect("console:invoice", number)


@require_safe
@staff_page
def invoice_pdf(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """The invoice as it was issued."""
    detail = invoicing.invoice_for(viewer, number)
    return _pdf(issuing.issued_pdf(detail.summary.id, now=clock.now()), f"invoice-{number}.pdf")


@require_safe
@staff_page
def receipt_pdf(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """The newest receipt of an invoice, by the invoice's number."""
    receipt = payments.receipt_of(viewer, invoicing.invoice_for(viewer, number).summary.id)
    if receipt is None:
        raise NotFound("This invoice has no receipt.")
    pdf = paying.receipt_pdf(viewer=viewer, number=receipt.number, now=clock.now())
    return _pdf(pdf, f"receipt-{receipt.number}.pdf")


@require_safe
@staff_page
def one_receipt_pdf(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """A receipt by its own number: also one of which a payment was taken back."""
    return _pdf(paying.receipt_pdf(viewer=viewer, number=number, now=clock.now()), f"receipt-{number}.pdf")


def _tell(request: HttpRequest, attempt: payments.AttemptView) -> None:
    """How a retry went, in one sentence or two."""
    amount = formats.money(attempt.amount)
    if attempt.paid:
        messages.success(request, f"Paid: {amount} from the {attempt.card}.")
    elif attempt.state == "declined":
        messages.error(
            request, f"Declined: {amount} on the {attempt.card}. {attempt.what_happened} {attempt.what_to_do}"
        )
    elif attempt.state == "error":
        messages.error(request, f"Not charged; the fault is ours. {attempt.staff_problem}")
    else:
        words = f"{attempt.what_happened} {attempt.what_to_do}".strip()
        messages.warning(request, f"{attempt.state_word}: {amount} on the {attempt.card}. {words}")


def _page(
    request: HttpRequest,
    viewer: Viewer,
    detail: InvoiceDetail,
    *,
    form: ReasonForm | None = None,
    verified: bool = False,
    differences: list[invoicing.Difference] | None = None,
    status: int = 200,
) -> HttpResponse:
    summary = detail.summary
    attempts = payments.attempts(viewer, summary.id)
    notes = invoicing.credit_notes_of(viewer, summary.number)
    receipts = payments.receipts_of(viewer, summary.id)
    keys = company_keys_of(section.company_id for section in detail.sections)
    context: dict[str, Any] = {
        "invoice": detail,
        "summary": summary,
        "companies": [(section.company_name, keys[section.company_id]) for section in detail.sections],
        "next": payments.what_happens_next(summary.id, viewer=viewer),
        "attempts": attempts,
        "by_card": any(attempt.paid for attempt in attempts),
        "upcoming": payments.next_attempt(viewer, summary.id),
        "bank_payments": payments.bank_payments(viewer, summary.id),
        "held": disputes.amounts_held(viewer, [summary.id]).get(summary.id),
        "holds": disputes.holds_of(viewer, summary.id),
        "chargebacks": payments.chargebacks_of(viewer, summary.id),
        "paid_so_far": -detail.paid if detail.paid.minor else None,
        "receipt": receipts[0] if receipts else None,
        "receipts": receipts,
        "to_give_up": payments.to_give_up(summary.id, now=clock.now()),
        "give_up": GiveUpForm(auto_id="give_up_%s"),
        "can_retry": payments.can_pay_now(summary.id),
        "credit_notes": notes,
        "lowered": [(note.number, -note.lowered_due) for note in notes if note.lowered_due.minor],
        "refunds": payments.refunds_of(viewer, summary.id),
        "refundable": payments.refundable_notes(viewer, summary.id),
        "can": _deeds(summary.status),
        "form": form or ReasonForm(),
        "verified": verified,
        "differences": differences or [],
        "log": staff_actions(subject_kind="invoice", subject_id=str(summary.id), limit=50),
    }
    return render(request, "console/invoice.html", context, status=status)


def _pdf(content: bytes, filename: str) -> HttpResponse:
    answer = HttpResponse(content, content_type="application/pdf")
    answer.headers["Content-Disposition"] = f'inline; filename="{filename}"'
    return answer
