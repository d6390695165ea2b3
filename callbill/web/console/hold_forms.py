"""What staff type to hold an amount out of collection."""

from __future__ import annotations

from typing import Any

from django import forms

from callbill.domain.disputes.queries import STAFF_KINDS
from callbill.rules.money import Money
from callbill.web.console.forms import typed_amount


class HoldForm(forms.Form):
    """What is held of an invoice, and why. `cause` makes a second click the same hold."""

    cause = forms.UUIDField(widget=forms.HiddenInput)
    kind = forms.ChoiceField(
        label="What it is about",
        choices=STAFF_KINDS,
        error_messages={"invalid_choice": "Choose what it is about."},
    )
    amount = forms.CharField(
        label="Amount",
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    reason = forms.CharField(
        label="Reason",
        max_length=1000,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="The customer reads it on the invoice and in mails, and it is kept in the audit log.",
        error_messages={"required": "Say why: the reason stands on the invoice and in the audit log."},
    )

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        self.currency = currency
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.fields[
            "amount"
        ].help_text = f"In {currency}, with taxes. Leave it empty to hold all that is owed."

    def clean_amount(self) -> Money | None:
        """The amount as money; None for all that is owed."""
        text: str = self.cleaned_data["amount"].strip()
        return typed_amount(text, self.currency) if text else None

    def clean_cause(self) -> str:
        """As text."""
        return str(self.cleaned_data["cause"])
