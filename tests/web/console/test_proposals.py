"""Flagging a billed call, entering an outage, and deciding the credit that comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from callbill.domain.invoicing.models import Adjustment, CreditProposal, Outage
from callbill.domain.invoicing.operations import run_billing
from callbill.domain.usage.models import CallCorrection
from callbill.domain.users.models import StaffAction
from tests.domain import world
from tests.web.console import conftest
from tests.web.console.conftest import Cast

LEVEL = """
[service_level]
availability_percent = "99.95"
credit_percent = "10"
cap_percent = "50"
"""
OUTAGE = {
    "service": "",
    "starts": "2026-01-15T09:00",
    "ends": "2026-01-15T09:30",
    "incident": "INC-7",
    "reason": "The trunk was cut",
}


@pytest.fixture
def promised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cast's contract promises a service level."""
    monkeypatch.setattr(conftest, "CONTRACT", conftest.CONTRACT + LEVEL)


def told(answer: Any) -> str:
    """What the page said after the deed."""
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def flag(staff: Client, cast: Cast, says: str = "spam", reason: str = "A robot") -> Any:
    address = reverse("console:correct", args=[cast.invoice.number, cast.line.id, cast.call.id])
    return staff.post(address, {"says": says, "reason": reason})


def decide(staff: Client, proposal: CreditProposal, way: str, **changes: Any) -> Any:
    typed = {"decision": way, "seen": proposal.amount_minor, "reason": "It was spam", **changes}
    return staff.post(reverse("console:decide", args=[proposal.id]), typed)


def page(staff: Client, proposal: CreditProposal) -> str:
    return staff.get(reverse("console:proposal", args=[proposal.id])).content.decode()


def test_a_flagged_call_leads_to_the_credit_and_to_the_next_invoice(staff: Client, cast: Cast) -> None:
    behind = staff.get(reverse("console:line", args=[cast.invoice.number, cast.line.id])).content.decode()
    assert reverse("console:call", args=[cast.invoice.number, cast.line.id, cast.call.id]) in behind
    answer = flag(staff, cast)
    proposal = CreditProposal.objects.get()
    assert answer.headers["Location"] == reverse("console:proposal", args=[proposal.id])
    shown = page(staff, proposal)
    for words in ("$1.35", "$0.12", "$1.47", cast.call.source_call_id, "flags spam", "A robot", "sam"):
        assert words in shown, words
    assert "1 proposed credit" in staff.get(reverse("console:overview")).content.decode()
    assert "Calls corrected after billing" in staff.get(reverse("console:proposals")).content.decode()

    answer = decide(staff, proposal, "approve")
    assert "the credit of $1.35 goes on the next invoice of Acme Dental" in told(answer)
    assert "It waits for the company's next invoice" in page(staff, proposal)
    assert "proposed credit" not in staff.get(reverse("console:overview")).content.decode()
    run_billing(now=world.at("2026-03-01T09:00"))
    adjustment = Adjustment.objects.get()
    assert adjustment.line is not None
    invoice = str(adjustment.line.section.invoice.number)
    assert reverse("console:invoice", args=[invoice]) in page(staff, proposal)
    assert "It was spam" in staff.get(reverse("console:invoice", args=[invoice])).content.decode()
    log = staff.get(reverse("console:audit")).content.decode()
    assert "Corrected a billed call" in log
    assert "Approved a proposed credit" in log


def test_a_refusal_leaves_nothing_and_the_call_says_so(staff: Client, cast: Cast) -> None:
    flag(staff, cast)
    proposal = CreditProposal.objects.get()
    assert "nothing is credited" in told(decide(staff, proposal, "refuse", reason="It was no spam"))
    assert Adjustment.objects.count() == 0
    shown = page(staff, proposal)
    assert "Refused" in shown
    assert "It was no spam" in shown
    assert "Approve</button>" not in shown
    address = reverse("console:call", args=[cast.invoice.number, cast.line.id, cast.call.id])
    assert "the credit was refused, so it does not count" in staff.get(address).content.decode()
    assert "was refused on" in told(decide(staff, proposal, "approve"))
    assert Adjustment.objects.count() == 0


def test_an_approval_of_another_amount_than_was_seen_is_not_taken(staff: Client, cast: Cast) -> None:
    flag(staff, cast)
    proposal = CreditProposal.objects.get()
    assert "Look at it again" in told(decide(staff, proposal, "approve", seen=2_70))
    assert Adjustment.objects.count() == 0


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"says": "", "reason": "x"}, "Choose what the call is"),
        ({"says": "bribe", "reason": "x"}, "Choose one of what is listed"),
        ({"says": "spam", "reason": " "}, "Say why"),
    ],
)
def test_what_is_no_correction_comes_back(
    staff: Client, cast: Cast, typed: dict[str, str], words: str
) -> None:
    answer = flag(staff, cast, **typed)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert CallCorrection.objects.count() == StaffAction.objects.count() == 0


def test_a_call_is_flagged_once(staff: Client, cast: Cast) -> None:
    flag(staff, cast)
    answer = flag(staff, cast)
    assert answer.status_code == 422
    assert "flagged already" in answer.content.decode()
    assert CallCorrection.objects.count() == 1


@pytest.mark.parametrize(
    ("typed", "words"), [({"reason": ""}, "Say why"), ({"decision": "perhaps"}, "Press Approve or Refuse")]
)
def test_a_decision_needs_a_reason(staff: Client, cast: Cast, typed: dict[str, str], words: str) -> None:
    flag(staff, cast)
    answer = decide(staff, CreditProposal.objects.get(), "approve", **typed)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert CreditProposal.objects.get().state == "proposed"


def test_an_outage_leads_to_the_credit_of_the_service_level(
    promised: None, staff: Client, cast: Cast
) -> None:
    assert (
        reverse("console:outages", args=["acme"])
        in staff.get(reverse("console:company", args=["acme"])).content.decode()
    )
    answer = staff.post(reverse("console:outages", args=["acme"]), OUTAGE)
    proposal = CreditProposal.objects.get()
    assert answer.headers["Location"] == reverse("console:proposal", args=[proposal.id])
    shown = page(staff, proposal)
    for words in ("30 minutes", "99.932795… %", "$8.10", "incident INC-7", "started in the outage"):
        assert words in shown, words
    listed = staff.get(reverse("console:outages", args=["acme"])).content.decode()
    assert "INC-7" in listed
    assert "Outage credit, January 2026" in listed


def test_an_outage_that_cannot_be_credited_says_why(staff: Client, cast: Cast) -> None:
    answer = staff.post(reverse("console:outages", args=["acme"]), OUTAGE)
    assert answer.status_code == 422
    assert "promises no service level" in answer.content.decode()
    answer = staff.post(reverse("console:outages", args=["acme"]), {**OUTAGE, "starts": "yesterday"})
    assert "Write it like 2026-03-31T14:05" in answer.content.decode()
    assert Outage.objects.count() == 0


def test_nobody_but_staff_corrects_or_decides(staff: Client, customer: Client, cast: Cast) -> None:
    flag(staff, cast)
    proposal = CreditProposal.objects.get()
    for answer in (
        flag(customer, cast, "test"),
        decide(customer, proposal, "approve"),
        customer.get(reverse("console:proposal", args=[proposal.id])),
        customer.get(reverse("console:proposals")),
        customer.post(reverse("console:outages", args=["acme"]), OUTAGE),
    ):
        assert answer.status_code == 404
    assert CallCorrection.objects.count() == 1
    assert Adjustment.objects.count() == 0


def test_a_call_of_another_line_is_not_found(staff: Client, cast: Cast) -> None:
    (other,) = world.calls(cast.north, 1)
    address = reverse("console:call", args=[cast.invoice.number, cast.line.id, other.id])
    assert staff.get(address).status_code == 404
