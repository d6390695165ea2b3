"""What staff can type."""

from __future__ import annotations

import re
from typing import Any

from django import forms

from callbill.rules.money import Money, exponent

_PERIOD = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])", re.ASCII)
_GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", re.ASCII)
_MOST_DIGITS = 12  # of minor units: far above any bill, far below what a row holds
KINDS = (
    ("outage_credit", "Outage credit"),
    ("promotion", "Promotion"),
    ("correction", "Manual correction"),
)


class ReasonForm(forms.Form):
    """Why staff do something; kept in the audit log."""

    reason = forms.CharField(
        label="Reason",
        max_length=1000,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Kept in the audit log with your name and the time.",
        error_messages={"required": "Say why: the reason is kept in the audit log."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})


class GiveUpForm(ReasonForm):
    """Why staff give a payment up whose outcome is not known; and what they saw at Stripe."""

    nothing_charged = forms.BooleanField(
        label="We looked at Stripe: nothing was charged. (Needed only where Stripe does not know it.)",
        required=False,
    )


class AdjustmentForm(forms.Form):
    """A credit or charge that goes on the company's next invoice. `money` is signed: a credit is negative."""

    direction = forms.ChoiceField(
        label="Credit or charge",
        choices=(("credit", "Credit: the customer pays less"), ("charge", "Charge: the customer pays more")),
        error_messages={"invalid_choice": "Choose credit or charge."},
    )
    kind = forms.ChoiceField(
        label="Kind", choices=KINDS, error_messages={"invalid_choice": "Choose one of the kinds."}
    )
    name = forms.CharField(
        label="Name on the invoice",
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Type the name of the line as the customer shall read it."},
    )
    amount = forms.CharField(
        label="Amount",
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={"required": "Type an amount such as 42.50."},
    )
    reason = forms.CharField(
        label="Reason",
        max_length=1000,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="The customer reads it under the line, and it is kept in the audit log.",
        error_messages={"required": "Say why: the reason stands on the invoice and in the audit log."},
    )
    period = forms.CharField(
        label="Period it is about",
        max_length=7,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Year and month, such as 2026-03.",
    )
    incident = forms.CharField(
        label="Incident",
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Its number in your incident list.",
    )

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        self.currency = currency
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.fields["amount"].help_text = f"In {currency}, always positive, such as {_example(currency)}."

    def clean_amount(self) -> Money:
        """The amount as money, positive."""
        amount = typed_amount(self.cleaned_data["amount"], self.currency)
        if amount.minor <= 0:
            raise forms.ValidationError("Type an amount above zero and choose credit or charge.")
        return amount

    def clean_period(self) -> str:
        """The period as "2026-03", or nothing."""
        text: str = self.cleaned_data["period"].strip()
        if text and not _PERIOD.fullmatch(text):
            raise forms.ValidationError(f"“{text}” is not a period. Write year and month, such as 2026-03.")
        return text

    @property
    def money(self) -> Money:
        """The signed amount of a valid form."""
        amount: Money = self.cleaned_data["amount"]
        return -amount if self.cleaned_data["direction"] == "credit" else amount


def typed_amount(typed: str, currency: str) -> Money:
    """What somebody typed, as money; thousands may be marked with commas. Raises ValidationError."""
    text = typed.strip()
    plain = text.replace(",", "") if _GROUPED.fullmatch(text) else text
    try:
        amount = Money.of(plain, currency)
    except ValueError:
        raise forms.ValidationError(
            f"“{text}” is not an amount in {currency}. Write it like {_example(currency)}."
        ) from None
    if len(str(amount.minor)) > _MOST_DIGITS:
        raise forms.ValidationError("That is more than can be billed. Check the figures.")
    return amount


def _example(currency: str) -> str:
    return Money(425 * 10 ** max(exponent(currency) - 1, 0), currency).text
