"""Void and bill again, write off: each on a page that says what it does and asks for the reason."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from callbill.domain.customers.queries import Viewer
from callbill.domain.invoicing import operations as issuing
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.invoicing.queries import InvoiceDetail
from callbill.domain.payments import operations as paying
from callbill.domain.payments import queries as payments
from callbill.lib import clock, formats
from callbill.rules.lifecycle import InvoiceEvent, MoveRefused
from callbill.web.console.door import staff_page
from callbill.web.console.forms import GiveUpForm, ReasonForm

_REFUSALS = (issuing.BeingPaid, issuing.VoidRefused, MoveRefused)


@require_http_methods(("GET", "HEAD", "POST"))
@staff_page
def void(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """Withdraw an unpaid invoice and bill its period again at once."""
    detail = invoicing.invoice_for(viewer, number)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            done = issuing.void_invoice(
                invoice_id=detail.summary.id,
                reason=form.cleaned_data["reason"],
                actor_id=viewer.user_id,
                now=clock.now(),
                bill_again=True,
            )
        except _REFUSALS as refusal:
            return _refused(request, number, refusal)
        words = f"Invoice {number} is void; credit note {done.credit_note.number} cancels it."
        if done.replacement is None:
            messages.success(request, f"{words} There was nothing to bill again.")
            return redirect("console:invoice", number)
        messages.success(request, f"{words} This is the invoice that takes its place.")
        return redirect("console:invoice", str(done.replacement.number))
    return _ask(
        request,
        viewer,
        detail,
        form,
        event=InvoiceEvent.VOID,
        title=f"Void invoice {number} and bill again",
        action="Void and bill again",
        consequences=(
            f"A credit note takes back {formats.money(detail.summary.total)}, less what was credited before.",
            "Its calls and adjustments are billed again now, as contract and calls are today.",
            "Credit balance that it had used is used by the new invoice. Credits given on it are not "
            "repeated there.",
            *_gives_back(detail),
            "The customer is told, with the reason. This cannot be undone.",
        ),
    )


def _gives_back(detail: InvoiceDetail) -> Sequence[str]:
    """What a void does about small balances that the invoice brought forward, if it did."""
    if not detail.brought:
        return ()
    parts = " and ".join(f"{formats.money(amount)} from {number}" for number, amount in detail.brought)
    return (f"What it brought forward, {parts}, goes back there, and onto the new invoice if there is one.",)


@require_http_methods(("GET", "HEAD", "POST"))
@staff_page
def write_off(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """Give an invoice up as uncollectible."""
    detail = invoicing.invoice_for(viewer, number)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            issuing.write_off(
                invoice_id=detail.summary.id,
                reason=form.cleaned_data["reason"],
                actor_id=viewer.user_id,
                now=clock.now(),
            )
        except _REFUSALS as refusal:
            return _refused(request, number, refusal)
        messages.success(request, f"Invoice {number} is written off. No card is charged for it any more.")
        return redirect("console:invoice", number)
    return _ask(
        request,
        viewer,
        detail,
        form,
        event=InvoiceEvent.WRITE_OFF,
        title=f"Write invoice {number} off",
        action=f"Write off {formats.money(detail.summary.due)}",
        consequences=(
            f"{formats.money(detail.summary.due)} becomes bad debt; the invoice is uncollectible.",
            "No card is charged for it any more.",
            "The customer is not told of the write-off. Money that comes after all can be recorded; of that "
            "they are told.",
        ),
    )


@require_POST
@staff_page
def stop_waiting(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """Give up a payment that waits for the cardholder or is in doubt; the invoice can be changed then."""
    detail = invoicing.invoice_for(viewer, number)
    form = GiveUpForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say why: the reason is kept in the audit log.")
        return redirect("console:invoice", number)
    try:
        attempt = paying.stop_waiting(
            invoice_id=detail.summary.id,
            actor_id=viewer.user_id,
            reason=form.cleaned_data["reason"],
            now=clock.now(),
            nothing_charged=form.cleaned_data["nothing_charged"],
        )
    except paying.PaymentRefused as refusal:
        messages.error(request, str(refusal))
    except paying.OurMistake as error:
        messages.error(
            request,
            "Stripe refused the request. The payment counts as given up, and Stripe is asked again by "
            f"itself. {error}",
        )
    except paying.GatewayError as error:
        messages.error(
            request, f"Stripe did not answer. It is asked again by itself; look again soon. {error}"
        )
    else:
        _tell_given_up(request, attempt)
    return redirect("console:invoice", number)


def _tell_given_up(request: HttpRequest, attempt: payments.AttemptView) -> None:
    """How giving a payment up went, and what staff can do now."""
    amount = formats.money(attempt.amount)
    if attempt.paid:
        messages.success(request, f"Not given up: meanwhile it was paid, {amount} from the {attempt.card}.")
    elif attempt.state == "canceled":
        messages.success(
            request, "Given up: the payment can no longer be made. You can change the invoice now."
        )
    elif attempt.state == "error":
        messages.success(request, "The payment is over: you said that nothing was charged. It is in the log.")
    elif attempt.state == "declined":
        messages.success(request, f"The {attempt.card} was declined. You can change the invoice now.")
    else:
        messages.error(
            request,
            f"Given up, but not over yet: Stripe did not cancel the payment of {amount}. "
            "Stripe is asked again by itself until it is over; look again soon.",
        )


def _ask(
    request: HttpRequest,
    viewer: Viewer,
    detail: InvoiceDetail,
    form: ReasonForm,
    *,
    event: InvoiceEvent,
    title: str,
    action: str,
    consequences: Sequence[str],
) -> HttpResponse:
    """The page that says what will happen and asks for the reason; or why it cannot be done now."""
    number = detail.summary.number
    context = {
        "summary": detail.summary,
        "form": form,
        "title": title,
        "action": action,
        "consequences": consequences,
        "danger": True,
        "why_not": invoicing.why_not_changed(viewer, number, event),
        "to_give_up": payments.to_give_up(detail.summary.id, now=clock.now()),
    }
    return render(
        request, "console/close_invoice.html", context, status=422 if request.method == "POST" else 200
    )


def _refused(request: HttpRequest, number: str, refusal: Exception) -> HttpResponse:
    messages.error(request, f"Not done. {refusal}")
    return redirect("console:invoice", number)
