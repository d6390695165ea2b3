"""What is held and what banks dispute: the list, placing a hold on an invoice, and lifting one."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from callbill.domain.customers.queries import Viewer
from callbill.domain.disputes import operations as disputing
from callbill.domain.disputes import queries as disputes
from callbill.domain.disputes.queries import HoldView
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.invoicing.queries import InvoiceDetail
from callbill.domain.payments import operations as paying
from callbill.domain.payments import queries as payments
from callbill.lib import clock, formats
from callbill.lib.fields import new_id
from callbill.rules.money import Money
from callbill.web.console.door import staff_page
from callbill.web.console.forms import ReasonForm
from callbill.web.console.hold_forms import HoldForm

_ABOUT_A_CHARGE = ("chargeback", "fraud_warning")


@require_safe
@staff_page
def listing(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Everything that waits for a bank or for us, and what banks decided last."""
    holds = disputes.open_holds(viewer)
    by_cause = {hold.cause: hold.id for hold in holds}
    chargebacks = payments.open_chargebacks(viewer)
    undecided = {chargeback.reference for chargeback in chargebacks}
    others = [hold for hold in holds if hold.kind != "fraud_warning" and hold.cause not in undecided]
    context = {
        "chargebacks": chargebacks,
        "warnings": payments.open_warnings(viewer),
        "holds": others,
        "above": len(holds) - len(others),
        "decided": payments.decided_chargebacks(viewer),
        "by_cause": by_cause,
    }
    return render(request, "console/disputes.html", context)


@require_http_methods(("GET", "HEAD", "POST"))
@staff_page
def hold(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """Hold an amount of an invoice, or all that is owed on it, until a question about it is settled."""
    detail = invoicing.invoice_for(viewer, number)
    posted = request.method == "POST"
    form = HoldForm(
        request.POST if posted else None,
        initial={"cause": str(new_id())},
        currency=detail.summary.total.currency,
    )
    if posted and form.is_valid():
        try:
            placed = disputing.place_hold(
                invoice_id=detail.summary.id,
                kind=form.cleaned_data["kind"],
                cause=form.cleaned_data["cause"],
                amount=form.cleaned_data["amount"],
                reason=form.cleaned_data["reason"],
                actor_id=viewer.user_id,
                now=clock.now(),
            )
        except (disputing.HoldRefused, disputing.BeingPaid) as refusal:
            form.add_error(None, str(refusal))
        else:
            return _placed(request, detail, placed.amount_minor)
    held, free = _parts(detail)
    context = {
        "summary": detail.summary,
        "form": form,
        "held": held,
        "free": free,
        "to_give_up": payments.to_give_up(detail.summary.id, now=clock.now()),
    }
    return render(request, "console/place_hold.html", context, status=422 if posted else 200)


def _parts(detail: InvoiceDetail) -> tuple[Money, Money]:
    held = disputes.held_on(detail.summary.id)
    return held, detail.summary.due - held


def _placed(request: HttpRequest, detail: InvoiceDetail, minor: int | None) -> HttpResponse:
    currency = detail.summary.total.currency
    what = "All that is owed" if minor is None else formats.money(Money(minor, currency))
    messages.success(request, f"{what} is on hold. It is not charged until you lift the hold.")
    return redirect("console:invoice", detail.summary.number)


@require_http_methods(("GET", "HEAD", "POST"))
@staff_page
def lift(request: HttpRequest, viewer: Viewer, hold_id: UUID) -> HttpResponse:
    """Lift a hold, after saying what that lets happen."""
    found = disputes.hold_for(viewer, hold_id)
    posted = request.method == "POST"
    form = ReasonForm(request.POST if posted else None)
    if posted and form.is_valid():
        try:
            paying.lift_hold(
                hold_id=hold_id,
                actor_id=viewer.user_id,
                reason=form.cleaned_data["reason"],
                now=clock.now(),
            )
        except paying.HoldRefused as refusal:
            messages.error(request, f"Not lifted. {refusal}")
        else:
            messages.success(request, "The hold is lifted. See below what happens next.")
        return redirect("console:invoice", found.invoice_number)
    context = {
        "hold": found,
        "form": form,
        "due": _due(found, viewer),
        "undecided": _undecided(found, viewer),
        "about_a_charge": found.kind in _ABOUT_A_CHARGE,
    }
    return render(request, "console/lift_hold.html", context, status=422 if posted else 200)


def _undecided(hold: HoldView, viewer: Viewer) -> bool:
    """Whether the bank behind the hold has not decided yet."""
    about = payments.chargebacks_of(viewer, hold.invoice_id)
    return any(chargeback.undecided and chargeback.reference == hold.cause for chargeback in about)


def _due(hold: HoldView, viewer: Viewer) -> Money | None:
    """What is due on the invoice that can be charged once nothing holds it; None if nothing is."""
    summary = invoicing.invoice_for(viewer, hold.invoice_number).summary
    return summary.due if summary.due.minor and summary.status in ("open", "past_due") else None
