"""What a customer can type."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms


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
