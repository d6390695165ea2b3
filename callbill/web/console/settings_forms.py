"""What staff can type about how the seller collects."""

from __future__ import annotations

from typing import Any

from django import forms

from callbill.rules.dunning import LONGEST_LADDER_STEP, MOST_LADDER_STEPS, ladder_problem
from callbill.web.console.forms import ReasonForm


class CollectionForm(ReasonForm):
    """Retry days as a list in words, and whether new cards pay by themselves."""

    retry_days = forms.CharField(
        label="Extra retries",
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        help_text="Days after a decline, with commas, such as 3, 5: "
        f"from 1 to {LONGEST_LADDER_STEP}, going up, at most {MOST_LADDER_STEPS}. "
        "Empty: only on the next billing cycle.",
    )
    pay_on_new_card = forms.BooleanField(
        label="Charge a new default card by itself for what is past due", required=False
    )
    field_order = ("retry_days", "pay_on_new_card", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(self.field_order)

    def clean_retry_days(self) -> list[int]:
        """The days as numbers."""
        parts = [part.strip() for part in self.cleaned_data["retry_days"].split(",") if part.strip()]
        days = [int(part) if part.isascii() and part.isdigit() and len(part) < 5 else part for part in parts]
        problem = ladder_problem(days)
        if problem:
            raise forms.ValidationError(f"These {problem}.")
        return [day for day in days if isinstance(day, int)]
