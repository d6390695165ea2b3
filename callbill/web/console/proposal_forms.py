"""What staff can type about billed calls, outages and proposed credits."""

from __future__ import annotations

from typing import Any

from django import forms

from callbill.web.console.forms import ReasonForm

_MOMENT = "%Y-%m-%dT%H:%M"


class CorrectionForm(ReasonForm):
    """What is wrong with a billed call."""

    says = forms.ChoiceField(
        label="What is it",
        choices=(
            ("spam", "Spam"),
            ("wrong_number", "A wrong number"),
            ("test", "A test call"),
            ("removed", "Not this customer's: take it off"),
        ),
        error_messages={
            "required": "Choose what the call is.",
            "invalid_choice": "Choose one of what is listed.",
        },
    )
    field_order = ("says", "reason")


class DecisionForm(ReasonForm):
    """Yes or no to a proposed credit, and why. `seen` is the amount on the page, in minor units."""

    decision = forms.ChoiceField(
        label="Decision",
        choices=(("approve", "Approve"), ("refuse", "Refuse")),
        widget=forms.HiddenInput,
        error_messages={
            "required": "Press Approve or Refuse.",
            "invalid_choice": "Press Approve or Refuse.",
        },
    )
    seen = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[
            "reason"
        ].help_text = "If you approve, the customer reads it under the line. It is kept in the audit log."


class OutageForm(ReasonForm):
    """When which service was out, in the contract's time zone."""

    service = forms.CharField(
        label="Service",
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="As the contract names it. Empty: every service.",
    )
    starts = forms.DateTimeField(
        label="Out from",
        input_formats=[_MOMENT],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT),
        error_messages={"required": "Say when it began.", "invalid": "Write it like 2026-03-31T14:05."},
    )
    ends = forms.DateTimeField(
        label="Until",
        input_formats=[_MOMENT],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT),
        error_messages={"required": "Say when it was over.", "invalid": "Write it like 2026-03-31T14:05."},
    )
    incident = forms.CharField(
        label="Incident",
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Its number in your incident list.",
        error_messages={"required": "Type the incident's number."},
    )
    field_order = ("service", "starts", "ends", "incident", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("starts", "ends"):
            self.fields[name].help_text = "Wall time of the contract's zone."
