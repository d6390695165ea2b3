"""What a customer can type."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms


class CollectionForm(forms.Form):
    """What a new card does about what is past due."""

    def __init__(
        self, data: Any = None, *, payer_id: UUID, seller: str, by_itself: bool, own: bool | None
    ) -> None:
        self.payer_id = payer_id
        initial = {"choice": "seller" if own is None else "now" if own else "ask"}
        super().__init__(data, auto_id=f"collection-{payer_id}-%s", label_suffix="", initial=initial)
        usual = "charge it by itself" if by_itself else "ask first"
        choices = [
            ("seller", f"As {seller} does it: {usual}"),
            ("now", "Charge the new card by itself for what is past due"),
            ("ask", "Ask first: nothing is charged until somebody chooses Pay now"),
        ]
        self.fields["choice"] = forms.ChoiceField(
            label="When a new card becomes the default while an invoice is past due",
            choices=choices,
            error_messages=dict.fromkeys(("required", "invalid_choice"), "Choose one of the three."),
        )

    @property
    def wish(self) -> bool | None:
        """What a valid form says: charge by itself, ask first, or None for the seller's way."""
        return {"now": True, "ask": False}.get(self.cleaned_data["choice"])


class ContactForm(forms.Form):
    """A billing contact of one payer."""

    email = forms.CharField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={"required": "Type the e-mail address that shall get the billing mails."},
    )
    name = forms.CharField(
        label="Name", max_length=200, required=False, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )

    def __init__(self, data: Any = None, *, payer_id: UUID) -> None:
        self.payer_id = payer_id
        # Several payers can be on one page, and every control needs an id of its own.
        super().__init__(data, auto_id=f"{payer_id}-%s", label_suffix="")
