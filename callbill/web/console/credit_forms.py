"""What staff type to credit lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms

from callbill.domain.invoicing.queries import CreditableLine
from callbill.lib import formats
from callbill.rules.money import Money
from callbill.web.console.forms import ReasonForm, typed_amount

_REFUND = re.compile(r"(re|pyr)_[A-Za-z0-9_]{1,60}", re.ASCII)
BALANCE, CARD = "balance", "card"


class CreditForm(forms.Form):
    """Which lines to credit and how much of each, before tax; or all that is left of the invoice."""

    everything = forms.BooleanField(label="All that is left of the invoice", required=False)
    reason = forms.CharField(
        label="Reason",
        max_length=1000,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="The customer reads it on the credit note, and it is kept in the audit log.",
        error_messages={"required": "Say why: the reason stands on the credit note and in the audit log."},
    )
    rest = forms.ChoiceField(
        label="What is more than is still to be paid",
        choices=(
            (BALANCE, "stays as credit balance; the next invoice uses it"),
            (CARD, "goes back to the card that paid"),
        ),
        error_messages={
            "invalid_choice": "Choose where the rest goes.",
            "required": "Choose where the rest goes.",
        },
    )

    def __init__(
        self, *args: Any, lines: Sequence[CreditableLine], by_card: bool, currency: str, **kwargs: Any
    ) -> None:
        self.lines = lines
        self.currency = currency
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        if not by_card:
            self.fields.pop("rest")
        for line in lines:
            self.fields[f"all-{line.id}"] = forms.BooleanField(
                label=f"All that is left of {line.name}", required=False
            )
            if line.left.minor > 0:
                self.fields[f"amount-{line.id}"] = forms.CharField(
                    label=f"Amount of {line.name}",
                    max_length=40,
                    required=False,
                    widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
                )

    def rows(self) -> list[tuple[CreditableLine, Any, Any]]:
        """The lines with their two fields: all of it, and an amount (None for a line below zero)."""
        return [
            (line, self[f"all-{line.id}"], self[f"amount-{line.id}"] if line.left.minor > 0 else None)
            for line in self.lines
        ]

    def others(self) -> list[Any]:
        """The fields that belong to no line."""
        return [self[name] for name in ("rest", "reason") if name in self.fields]

    def clean(self) -> dict[str, Any]:
        """Amounts as money; something must be chosen."""
        typed: dict[str, Any] = super().clean() or {}
        self.amounts: dict[UUID, int | None] | None = {}
        for line in self.lines:
            name = f"amount-{line.id}"
            if typed.get(f"all-{line.id}"):
                self.amounts[line.id] = None
            elif text := typed.get(name, "").strip():
                try:
                    self.amounts[line.id] = typed_amount(text, self.currency).minor
                except forms.ValidationError as problem:
                    self.add_error(name, problem)
        if typed.get("everything"):
            self.amounts = None
        elif not self.amounts and not self.errors:
            raise forms.ValidationError(
                "Choose at least one line: tick it, or type how much of it to credit."
            )
        return typed

    @property
    def to_card(self) -> bool:
        """Whether the rest goes back to the card."""
        return self.cleaned_data.get("rest") == CARD


class RefundForm(ReasonForm):
    """How much of a credit note goes back to the card, and why."""

    amount = forms.CharField(
        label="Amount",
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={"required": "Type how much goes back to the card."},
    )
    field_order = ("amount", "reason")

    def __init__(self, *args: Any, most: Money, **kwargs: Any) -> None:
        self.most = most
        super().__init__(*args, **{"initial": {"amount": most.text}, **kwargs})
        self.fields["amount"].help_text = f"In {most.currency}, at most {formats.money(most)}."

    def clean_amount(self) -> Money:
        """The amount as money, at most what can go back."""
        amount = typed_amount(self.cleaned_data["amount"], self.most.currency)
        if not 0 < amount.minor <= self.most.minor:
            raise forms.ValidationError(f"Type an amount above zero, at most {formats.money(self.most)}.")
        return amount


class TakeOverForm(ReasonForm):
    """Which refund of Stripe's to take over, and why."""

    reference = forms.CharField(
        label="Refund at Stripe",
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Its id in Stripe's Dashboard and on the page Reconciliation; it begins with re_.",
        error_messages={"required": "Copy the refund's id from Stripe's Dashboard; it begins with re_."},
    )
    field_order = ("reference", "reason")

    def clean_reference(self) -> str:
        """The id as Stripe writes it."""
        text: str = self.cleaned_data["reference"].strip()
        if not _REFUND.fullmatch(text):
            raise forms.ValidationError(f"“{text}” is not the id of a refund; it begins with re_.")
        return text
