"""What is credited for corrected calls is to the cent what they had cost, whatever the contract (M21)."""

from __future__ import annotations

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callbill.domain.invoicing.models import Adjustment, CreditProposal, Invoice
from callbill.domain.invoicing.operations import propose_corrections, run_billing
from callbill.domain.invoicing.queries import verify_invoice
from callbill.domain.usage.models import Call
from callbill.domain.usage.operations import NotCorrectable
from callbill.domain.users.models import User
from tests.domain import world
from tests.domain.invoicing.corrections import FEBRUARY, TENTH, approve, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def sam(db: None) -> User:
    return world.person("sam@cic.example", staff=True)


FEATURES = (
    world.PER_CALL.replace('rate = "1.35"', 'rate = "1.35"\n[usage.scope]\ndirection = ["inbound"]')
    + """
[[usage]]
id = "outbound"
name = "Outbound minutes"
unit = "minute"
increments = "30/6"
included = 3
tiers = [{ up_to = 5, rate = "0.50", flat = "0.30" }, { rate = "0.111" }]
tier_mode = "volume"
[billable]
min_talk_seconds = 5
exclude_cap_percent = "40"
free_short_calls = { under_seconds = 30, per_period = 2 }
[[fee]]
id = "desk"
name = "Desk"
amount = "9.99"
[[discount]]
name = "Welcome"
amount = "3.00"
[[discount]]
name = "Loyalty"
percent = "7.5"
[minimum]
amount = "14.00"
[tax]
[[tax.rate]]
name = "Sales tax"
percent = "8.875"
applies_to = ["inbound"]
"""
)
a_call = st.tuples(st.integers(0, 400), st.sampled_from(["inbound", "outbound"]))
a_word = st.tuples(st.integers(0, 11), st.sampled_from(["spam", "wrong_number", "test", "removed"]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(a_call, min_size=1, max_size=12), st.lists(a_word, max_size=8), st.integers(0, 8))
def test_what_is_proposed_is_the_price_before_less_the_price_after(
    sam: User, planned: list[tuple[int, str]], words: list[tuple[int, str]], first_part: int
) -> None:
    """In one step or two, the credits are what the same calls would have cost less, billed corrected."""
    with transaction.atomic():
        acme, twin = (world.company(key, key.title(), world.terms(FEATURES)) for key in ("acme", "twin"))
        gone: dict[int, set[str]] = {}
        for number, (talk, direction) in enumerate(planned):
            (world.calls(acme, 1, talk_seconds=talk, direction=direction, source_call_id=f"{number:02d}"))
        for place, says in words:
            gone.setdefault(place, set()).add(says)
        for number, (talk, direction) in enumerate(planned):
            flags = sorted(gone.get(number, set()) - {"removed"})
            if "removed" not in gone.get(number, set()):
                world.calls(
                    twin,
                    1,
                    talk_seconds=talk,
                    direction=direction,
                    source_call_id=f"{number:02d}",
                    flags=flags,
                )
        run_billing(now=FEBRUARY)
        made = list(Call.objects.filter(company=acme).order_by("source_call_id"))
        for step in (words[:first_part], words[first_part:]):
            for place, says in step:
                if place < len(made):
                    try:
                        say(made[place], sam, says)
                    except NotCorrectable:
                        continue
            for proposal_id in propose_corrections(now=TENTH).proposals:
                approve(CreditProposal.objects.get(id=proposal_id), sam)
        subtotals = dict(
            Invoice.objects.values_list("payer__company__key", "subtotal_minor").order_by("number")
        )
        credited = -sum(Adjustment.objects.values_list("amount_minor", flat=True))
        assert credited == subtotals["acme"] - subtotals["twin"]
        assert verify_invoice(str(Invoice.objects.get(payer__company=acme).number)) == []
        transaction.set_rollback(True)
