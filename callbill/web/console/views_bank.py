"""Recording money that came by bank transfer or cheque, and taking it back."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from callbill.domain.customers.queries import Viewer
from callbill.domain.invoicing import operations as issuing
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.invoicing.queries import InvoiceDetail
from callbill.domain.payments import operations as paying
from callbill.domain.payments import queries as payments
from callbill.lib import clock, formats
from callbill.rules.lifecycle import InvoiceEvent, InvoiceStatus, MoveRefused, after
from callbill.rules.money import Money
from callbill.rules.period import local_day
from callbill.web.console.door import staff_page
from callbill.web.console.forms import ReasonForm, typed_amount

_OLDEST_DAYS = 366


class BankPaymentForm(ReasonForm):
    """What the clerk reads from the bank's statement or from the cheque."""

    method = forms.ChoiceField(
        label="How it came",
        choices=payments.BANK_METHODS,
        error_messages={"invalid_choice": "Choose bank transfer or cheque."},
    )
    received_on = forms.DateField(
        label="Received on",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={
            "required": "Type the day on which it was received.",
            "invalid": "That is not a day. Write it like 2026-05-03.",
        },
    )
    amount = forms.CharField(
        label="Amount received",
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={"required": "Type the amount that came, such as 42.50."},
    )
    reference = forms.CharField(
        label="Reference",
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="The bank's, or the number of the cheque. The customer reads it.",
        error_messages={"required": "Type the bank's reference, or the number of the cheque."},
    )
    surplus = forms.BooleanField(required=False)
    field_order = ("method", "received_on", "amount", "surplus", "reference", "reason")

    def __init__(self, *args: Any, due: Money, today: date, **kwargs: Any) -> None:
        self.currency = due.currency
        self.due = due
        self.today = today
        super().__init__(*args, **kwargs)
        self.too_much = self.fields.pop("surplus")

    def clean_amount(self) -> Money:
        """The amount as money, above zero."""
        amount = typed_amount(self.cleaned_data["amount"], self.currency)
        if amount.minor <= 0:
            raise forms.ValidationError("Type an amount above zero.")
        return amount

    def clean_received_on(self) -> date:
        """A day that has come."""
        day: date = self.cleaned_data["received_on"]
        if day > self.today:
            raise forms.ValidationError("That day has not come yet. Type the day on which it was received.")
        if (self.today - day).days > _OLDEST_DAYS:
            raise forms.ValidationError("That is more than a year ago. Check the year.")
        return day

    def clean(self) -> None:
        """More than is due is believed when it was ticked: a misplaced point would give money away."""
        super().clean()
        amount = self.cleaned_data.get("amount")
        if amount is None or amount <= self.due:
            return
        surplus = formats.money(amount - self.due)
        self.too_much.label = f"{surplus} more than is due came; put it into the credit balance"
        self.fields["surplus"] = self.too_much
        self.order_fields(self.field_order)
        if not self.data.get("surplus"):
            raise forms.ValidationError(
                f"{formats.money(amount)} is {surplus} more than the {formats.money(self.due)} that is due. "
                "Check the amount. If it is right, tick that the rest goes into the credit balance."
            )


@require_http_methods(("GET", "HEAD", "POST"))
@staff_page
def record(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """The form, and what recording does to the invoice as it is now."""
    detail, now = invoicing.invoice_for(viewer, number), clock.now()
    form = BankPaymentForm(
        request.POST if request.method == "POST" else None,
        due=detail.summary.due,
        today=local_day(now, detail.time_zone),
    )
    why_not = payments.why_no_bank_payment(viewer, detail.summary.id)
    if request.method == "POST" and why_not:
        messages.error(request, f"Not done. {why_not}")
        return redirect("console:invoice", number)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            payment = paying.record_bank_payment(
                invoice_id=detail.summary.id,
                method=typed["method"],
                amount=typed["amount"],
                reference=typed["reference"],
                received_on=typed["received_on"],
                reason=typed["reason"],
                actor_id=viewer.user_id,
                now=now,
            )
        except issuing.AlreadyRecorded as refusal:
            form.add_error("reference", str(refusal))
        except paying.CannotRecord as refusal:
            form.add_error(None, list(refusal.problems))
        except (issuing.BeingPaid, MoveRefused) as refusal:
            messages.error(request, f"Not done. {refusal}")
            return redirect("console:invoice", number)
        else:
            _tell(request, number, typed["amount"], Money(payment.surplus_minor, payment.currency))
            return redirect("console:invoice", number)
    return _ask(request, viewer, detail, form)


def _tell(request: HttpRequest, number: str, amount: Money, surplus: Money) -> None:
    said = f"Recorded: {formats.money(amount)} for invoice {number}."
    if surplus.minor:
        said += f" {formats.money(surplus)} of it was more than was due and is credit balance now."
    messages.success(request, said)


def _ask(request: HttpRequest, viewer: Viewer, detail: InvoiceDetail, form: BankPaymentForm) -> HttpResponse:
    number = detail.summary.number
    context = {
        "summary": detail.summary,
        "form": form,
        "title": f"Record a bank payment for invoice {number}",
        "action": "Record it",
        "consequences": _what_it_does(detail),
        "danger": False,
        "why_not": payments.why_no_bank_payment(viewer, detail.summary.id),
        "to_give_up": payments.to_give_up(detail.summary.id, now=clock.now()),
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "console/close_invoice.html", context, status=status)


def _what_it_does(detail: InvoiceDetail) -> tuple[str, ...]:
    """What recording money does to the invoice as it is now."""
    due = detail.summary.due
    if not due.minor:
        return (
            "Nothing is due: all of it goes to the credit balance.",
            "The next invoice uses the credit balance.",
            "The customer is told what came.",
        )
    if detail.summary.status is InvoiceStatus.UNCOLLECTIBLE:
        first = f"{formats.money(due)} was written off; what comes is no longer bad debt."
        told = "The customer is told what came."
    else:
        first = f"{formats.money(due)} is still to be paid. If less came, the rest is charged as planned."
        told = "The customer is told what came and what is still to be paid."
    return (
        first,
        "If more came, the rest of it goes to the credit balance, which the next invoice uses.",
        f"{told} If it pays the invoice, the receipt is attached.",
    )


class ReturnForm(ReasonForm):
    """When and why a bank payment did not stay."""

    returned_on = forms.DateField(
        label="Returned on",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="The bank's day; for a wrong entry, today.",
        error_messages={
            "required": "Type the day on which it was returned.",
            "invalid": "That is not a day. Write it like 2026-05-03.",
        },
    )
    field_order = ("returned_on", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = (
            "Such as “The bank did not pay the cheque.” The customer reads it; it is kept in the audit log "
            "with your name and the time."
        )


@require_http_methods(("GET", "HEAD", "POST"))
@staff_page
def take_back(request: HttpRequest, viewer: Viewer, payment_id: UUID) -> HttpResponse:
    """The page that says in figures what taking a bank payment back does, and doing it."""
    payment, number = payments.bank_payment(viewer, payment_id)
    form = ReturnForm(request.POST if request.method == "POST" else None)
    why_not = payments.why_not_returned(viewer, payment_id)
    if request.method == "POST" and why_not:
        messages.error(request, f"Not done. {why_not}")
        return redirect("console:invoice", number)
    if request.method == "POST" and form.is_valid():
        try:
            paying.return_bank_payment(
                payment_id=payment_id,
                reason=form.cleaned_data["reason"],
                returned_on=form.cleaned_data["returned_on"],
                actor_id=viewer.user_id,
                now=clock.now(),
            )
        except paying.CannotRecord as refusal:
            form.add_error("returned_on", list(refusal.problems))
        except (issuing.AlreadyReturned, issuing.BeingPaid, issuing.CreditUsed, MoveRefused) as refusal:
            messages.error(request, f"Not done. {refusal}")
            return redirect("console:invoice", number)
        else:
            taken = f"Taken back: {formats.money(payment.amount)} from invoice {number}."
            messages.success(request, f"{taken} The customer is told.")
            return redirect("console:invoice", number)
    detail = invoicing.invoice_for(viewer, number)
    context = {
        "summary": detail.summary,
        "form": form,
        "title": f"Take back {formats.money(payment.amount)} from invoice {number}",
        "action": "Take it back",
        "consequences": (f"{payment.what}.", *_what_follows(viewer, detail, payment)),
        "danger": True,
        "why_not": why_not,
        "to_give_up": payments.to_give_up(detail.summary.id, now=clock.now()),
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "console/close_invoice.html", context, status=status)


def _what_follows(viewer: Viewer, detail: InvoiceDetail, payment: payments.BankPaymentView) -> list[str]:
    """What taking the payment back does, in figures."""
    summary, paid = detail.summary, payment.paid
    said = []
    if not paid.minor:
        said.append(f"Nothing is owed again: none of it had paid invoice {summary.number}.")
    elif after(summary.status, InvoiceEvent.RETURN) is InvoiceStatus.UNCOLLECTIBLE:
        said.append(f"{formats.money(paid)} is bad debt again.")
    else:
        owed = formats.money(summary.due + paid)
        said.append(f"{formats.money(paid)} is owed again; then {owed} is still to be paid.")
        if summary.status is InvoiceStatus.PAID:
            said.append("The invoice is open again, or past due if it was before or its due date went by.")
        said.append("No card is charged for it at once: the next try is with the next billing cycle.")
    if payment.surplus.minor:
        said.append(f"{formats.money(payment.surplus)} goes out of the credit balance.")
    receipt = payments.receipt_of(viewer, summary.id)
    if paid.minor and receipt and not receipt.taken_back and receipt.paid_at >= payment.recorded_at:
        said.append(f"Receipt {receipt.number} is no longer valid. What pays the invoice next has its own.")
    return [*said, "The customer is told, with your reason. The same reference can be recorded again later."]
