"""Credit notes: choosing lines, looking at what that would be, issuing it, refunding the rest to the card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.invoicing import operations as issuing
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.invoicing.queries import CreditableLine, CreditNoteView, InvoiceDetail
from callbill.domain.payments import operations as paying
from callbill.domain.payments import queries as payments
from callbill.lib import clock, formats
from callbill.lib.fields import new_id
from callbill.rules.lifecycle import InvoiceEvent, MoveRefused
from callbill.rules.money import Money
from callbill.web.console.credit_forms import CreditForm, RefundForm, TakeOverForm
from callbill.web.console.door import staff_page
from callbill.web.console.forms import ReasonForm


@require_http_methods(("GET", "HEAD", "POST"))
@staff_page
def credit(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """Choose what to credit, look at what that comes to, and only then issue the credit note."""
    detail = invoicing.invoice_for(viewer, number)
    lines = invoicing.creditable(viewer, number)
    if request.method == "POST":
        # A click that came twice: nothing may be left by now, and the credit note is there.
        done = _issued(viewer, number, request.POST.get("note", ""))
        if done is not None:
            return _told(request, number, done)
    if why_not := _why_not(viewer, number, lines):
        context = {
            "summary": detail.summary,
            "title": f"Credit lines of invoice {number}",
            "why_not": why_not,
            "to_give_up": payments.to_give_up(detail.summary.id, now=clock.now()),
            "form": ReasonForm(),
        }
        return render(request, "console/close_invoice.html", context, status=409)
    form = CreditForm(
        request.POST if request.method == "POST" else None,
        lines=lines,
        by_card=any(attempt.paid for attempt in payments.attempts(viewer, detail.summary.id)),
        currency=detail.summary.total.currency,
    )
    if request.method != "POST":
        return _choose(request, viewer, detail, form)
    if not form.is_valid():
        return _choose(request, viewer, detail, form, status=422)
    try:
        if "confirmed" in request.POST:
            return _issue(request, viewer, detail, form)
        preview = invoicing.preview_credit(viewer, number, form.amounts)
    except issuing.CreditRefused as refusal:
        for problem in refusal.problems:
            form.add_error(None, problem)
        return _choose(request, viewer, detail, form, status=422)
    except (issuing.BeingPaid, MoveRefused) as refusal:
        messages.error(request, f"Not credited. {refusal}")
        return redirect("console:invoice", number)
    typed = [(name, value) for name, value in request.POST.items() if name in form.fields]
    context = {
        "summary": detail.summary,
        "preview": preview,
        "typed": typed,
        "note": new_id(),
        "reason": form.cleaned_data["reason"],
        "to_card": form.to_card,
    }
    return render(request, "console/confirm_credit.html", context)


def _why_not(viewer: Viewer, number: str, lines: Sequence[CreditableLine]) -> str:
    """Why nothing can be credited now, in words; "" if something can."""
    why_not = invoicing.why_not_changed(viewer, number, InvoiceEvent.CREDIT)
    return why_not or ("" if lines else f"All of invoice {number} was credited; nothing is left of it.")


def _choose(
    request: HttpRequest, viewer: Viewer, detail: InvoiceDetail, form: CreditForm, *, status: int = 200
) -> HttpResponse:
    context = {
        "summary": detail.summary,
        "invoice": detail,
        "form": form,
        "disputed": any(item.undecided for item in payments.chargebacks_of(viewer, detail.summary.id)),
    }
    return render(request, "console/credit.html", context, status=status)


def _issue(request: HttpRequest, viewer: Viewer, detail: InvoiceDetail, form: CreditForm) -> HttpResponse:
    now, number = clock.now(), detail.summary.number
    note = issuing.credit_lines(
        invoice_id=detail.summary.id,
        amounts=form.amounts,
        reason=form.cleaned_data["reason"],
        actor_id=viewer.user_id,
        now=now,
        note_id=_uuid(request.POST.get("note", "")),
    )
    # The messages are read in this order: what came into the balance, then that it went out of it again.
    answer = _told(request, number, invoicing.credit_note_for(viewer, note.number))
    if form.to_card and note.to_balance_minor:
        _give_back(request, viewer, note.id, form.cleaned_data["reason"])
    return answer


def _told(request: HttpRequest, number: str, note: CreditNoteView) -> HttpResponse:
    words = [f"Credit note {note.number}: {formats.money(note.total)}."]
    if note.lowered_due.minor:
        words.append(f"{formats.money(note.lowered_due)} was taken off what was to be paid.")
    if note.to_balance.minor:
        words.append(f"{formats.money(note.to_balance)} went to the credit balance.")
    messages.success(request, " ".join(words))
    return redirect("console:invoice", number)


def _issued(viewer: Viewer, number: str, note: str) -> CreditNoteView | None:
    """The credit note of this form, if it was issued already."""
    notes = invoicing.credit_notes_of(viewer, number)
    return next((known for known in notes if str(known.id) == note), None)


@require_http_methods(("GET", "HEAD", "POST"))
@staff_page
def refund(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """Give what a credit note left in the balance back to the card; `number` is the credit note's."""
    note = invoicing.credit_note_for(viewer, number)
    detail = invoicing.invoice_for(viewer, note.invoice_number)
    amount = payments.refundable_notes(viewer, detail.summary.id).get(note.id)
    if amount is None:
        messages.error(request, f"Nothing of credit note {number} can go back to a card now.")
        return redirect("console:invoice", note.invoice_number)
    form = RefundForm(request.POST if request.method == "POST" else None, most=amount)
    if request.method == "POST" and form.is_valid():
        _give_back(request, viewer, note.id, form.cleaned_data["reason"], form.cleaned_data["amount"])
        return redirect("console:invoice", note.invoice_number)
    context: dict[str, Any] = {
        "summary": detail.summary,
        "form": form,
        "title": f"Refund credit note {number} to the card",
        "consequences": [
            f"{formats.money(amount)} goes back to the card that paid invoice {note.invoice_number}, or the "
            "part of it that you type; the rest stays in the credit balance.",
            "It leaves the credit balance at once, and the customer is told when the bank has taken it.",
        ],
        "action": "Refund to the card",
        "danger": False,
    }
    return render(
        request, "console/close_invoice.html", context, status=422 if request.method == "POST" else 200
    )


@require_http_methods(("GET", "HEAD", "POST"))
@staff_page
def take_over(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """Book a refund that somebody made at Stripe onto a credit note, whose number it is."""
    note = invoicing.credit_note_for(viewer, number)
    detail = invoicing.invoice_for(viewer, note.invoice_number)
    typed = request.POST if request.method == "POST" else None
    form = TakeOverForm(typed, initial={"reference": request.GET.get("refund", "")[:64]})
    if request.method == "POST" and form.is_valid() and _taken_over(request, viewer, note.id, form):
        return redirect("console:invoice", note.invoice_number)
    context: dict[str, Any] = {
        "summary": detail.summary,
        "form": form,
        "title": f"Take over a refund made at Stripe on credit note {number}",
        "consequences": [
            "Somebody refunded the card in Stripe's Dashboard, so the money has gone back already. Nothing "
            "is refunded a second time here.",
            f"It is booked as a refund of credit note {number}: its amount leaves the credit balance, and "
            "the customer is told.",
        ],
        "action": "Take it over",
        "danger": False,
    }
    return render(
        request, "console/close_invoice.html", context, status=422 if request.method == "POST" else 200
    )


def _taken_over(request: HttpRequest, viewer: Viewer, note_id: UUID, form: TakeOverForm) -> bool:
    """Take it over and say how it went; False, with why in the form, if it was not."""
    try:
        done = paying.take_over_refund(
            note_id=note_id,
            reference=form.cleaned_data["reference"],
            reason=form.cleaned_data["reason"],
            actor_id=viewer.user_id,
            now=clock.now(),
        )
    except paying.PaymentRefused as refusal:
        form.add_error("reference", str(refusal))
        return False
    except paying.GatewayError as error:
        form.add_error(
            None, f"Stripe did not answer; nothing was booked. Try again in a few minutes. {error}"
        )
        return False
    amount = formats.money(done.amount)
    messages.success(request, f"Taken over: {amount} to the {done.card}. {done.what_happens}")
    return True


def _give_back(
    request: HttpRequest, viewer: Viewer, note_id: UUID, reason: str, wanted: Money | None = None
) -> None:
    """Refund and say how it went."""
    try:
        done = paying.refund_to_card(
            note_id=note_id, actor_id=viewer.user_id, reason=reason, now=clock.now(), amount=wanted
        )
    except paying.PaymentRefused as refusal:
        messages.warning(request, f"Not refunded. {refusal}")
        return
    amount = formats.money(done.amount)
    if done.made:
        messages.success(request, f"Refunded: {amount} to the {done.card}. {done.what_happens}")
    elif done.state == "failed":
        messages.error(request, f"Not refunded: {amount}. {done.what_happens} {done.staff_problem}")
    else:
        messages.warning(request, f"{done.state_word}: {amount} to the {done.card}. {done.what_happens}")


@require_safe
@staff_page
def credit_note_pdf(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """The credit note as it was issued."""
    note = invoicing.credit_note_for(viewer, number)
    answer = HttpResponse(issuing.credit_note_pdf(note.id), content_type="application/pdf")
    answer.headers["Content-Disposition"] = f'inline; filename="credit-note-{note.number}.pdf"'
    return answer


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("This form is not one of ours.") from None
