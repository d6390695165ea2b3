"""Outage credits from the contract's service level: availability, formula, cap, affected calls (M22)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from callbill.domain.customers.models import Company
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing._outages import credit_for
from callbill.domain.invoicing.models import Adjustment, CreditProposal, Outage
from callbill.domain.invoicing.operations import OutageRefused, propose_outage_credit, run_billing
from callbill.domain.users.models import StaffAction, User
from callbill.domain.users.operations import ReasonMissing
from callbill.rules.money import Money
from callbill.rules.period import Period
from callbill.rules.terms import ServiceLevel
from tests.domain import world
from tests.domain.invoicing.corrections import (
    FEBRUARY,
    TENTH,
    adjustment_lines,
    approve,
    next_invoice,
)

LEVEL = """
[service_level]
availability_percent = "99.95"
credit_percent = "10"
cap_percent = "25"
"""
CONTRACT = (
    """
currency = "USD"
time_zone = "America/New_York"
effective_from = 2026-01-01
[[usage]]
id = "main"
name = "Main line"
unit = "call"
rate = "1.00"
[usage.scope]
service = ["main"]
[[usage]]
id = "other"
name = "All else"
unit = "call"
rate = "0.50"
[tax]
[[tax.rate]]
name = "Sales tax"
percent = "10"
applies_to = ["main"]
"""
    + LEVEL
)


@pytest.fixture
def sam(db: None) -> User:
    return world.person("sam@cic.example", staff=True)


@pytest.fixture
def acme(db: None) -> Company:
    """January billed: 80 calls of the main line and 40 others, 100.00 before tax."""
    made = world.company(contract=world.terms(CONTRACT))
    world.calls(made, 80, service="main")
    world.calls(made, 40, on=date(2026, 1, 20), service="night")
    run_billing(now=FEBRUARY)
    return made


def wall(month: int, day: int, hour: int, minute: int = 0, *, year: int = 2026) -> datetime:
    """A wall time as staff type it, without an offset."""
    return datetime.fromisoformat(f"{year}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}")


def enter(acme: Company, actor: User, **changes: Any) -> Outage:
    """An outage of the main line on 15 January from 9:00 to 9:30 on the wall in New York."""
    asked: dict[str, Any] = {
        "service": "main",
        "starts": wall(1, 15, 9, 0),
        "ends": wall(1, 15, 9, 30),
        "incident": "INC-7",
        "reason": "The trunk was cut",
        **changes,
    }
    return propose_outage_credit(company_id=acme.id, actor_id=actor.id, now=TENTH, **asked)


def test_the_credit_is_computed_and_goes_on_the_next_invoice(acme: Company, sam: User) -> None:
    outage = enter(acme, sam)
    proposal = outage.proposal
    assert proposal is not None
    assert (proposal.amount_minor, proposal.tax_minor, proposal.incident) == (8_00, 80, "INC-7")
    assert len(proposal.calls) == 30  # one a minute from 9:00, until before 9:30
    for figures in (
        "main was out from 15 January 2026, 09:00 to 15 January 2026, 09:30, America/New_York: 30 minutes",
        "1 − 30 minutes down / 44,640 minutes = 99.932795… %; promised are 99.95 %",
        "10 % of the month's usage $80.00 = $8.00",
        "at most 25 % = $20.00 in the month",
    ):
        assert figures in proposal.explanation, proposal.explanation
    (adjustment,) = approve(proposal, sam, "Sorry for the outage")
    assert (adjustment.kind, adjustment.incident, adjustment.charge) == ("outage_credit", "INC-7", "main")
    assert adjustment_lines(next_invoice()) == [("Outage credit, January 2026: Main line", -8_00, -80)]
    assert [action.action for action in StaffAction.objects.order_by("at", "id")] == [
        "enter_outage",
        "approve_proposal",
    ]


def test_an_outage_of_every_service_credits_every_charge(acme: Company, sam: User) -> None:
    proposal = enter(acme, sam, service="").proposal
    assert proposal is not None
    assert {line["charge"]: (line["amount"], line["tax"]) for line in proposal.lines} == {
        "main": (8_00, 80),
        "other": (2_00, 0),
    }


def test_a_service_that_no_charge_names_is_billed_by_those_that_name_none(acme: Company, sam: User) -> None:
    proposal = enter(acme, sam, service="night", starts=wall(1, 20, 9), ends=wall(1, 20, 10)).proposal
    assert proposal is not None
    assert proposal.amount_minor == 2_00
    assert len(proposal.calls) == 40


def test_minutes_add_up_over_the_month_until_the_promise_is_broken(acme: Company, sam: User) -> None:
    first = enter(acme, sam, ends=wall(1, 15, 9, 15))
    assert first.proposal is None
    assert "The promise was kept, so there is no credit" in first.outcome
    second = enter(acme, sam, starts=wall(1, 16, 9, 0), ends=wall(1, 16, 9, 15))
    assert second.proposal is not None
    assert "30 minutes down" in second.outcome


def test_all_credits_of_a_month_stay_under_the_cap(acme: Company, sam: User) -> None:
    amounts = []
    for day in (10, 11, 12, 13):
        outage = enter(acme, sam, starts=wall(1, day, 9), ends=wall(1, day, 10))
        amounts.append(outage.proposal.amount_minor if outage.proposal else 0)
    assert amounts == [8_00, 8_00, 4_00, 0]
    assert (
        "of which $20.00 is proposed or approved. That leaves $0.00." in Outage.objects.latest("id").outcome
    )


def test_a_refused_outage_counts_no_more(acme: Company, sam: User) -> None:
    proposal = enter(acme, sam).proposal
    assert proposal is not None
    invoicing.refuse_proposal(proposal_id=proposal.id, reason="Maintenance", actor_id=sam.id, now=TENTH)
    assert Adjustment.objects.count() == 0
    again = enter(acme, sam)  # entered again, with the same time
    assert "30 minutes down" in again.outcome


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"starts": wall(1, 15, 10)}, "ends before it begins"),
        ({"starts": wall(2, 3, 9), "ends": wall(2, 3, 10)}, "has not been billed"),
        ({"ends": wall(2, 1, 0, 5)}, "Enter each period's part"),
        ({"starts": wall(12, 3, 9, year=2025)}, "has not been billed"),
    ],
)
def test_what_cannot_be_computed_is_refused(
    acme: Company, sam: User, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(OutageRefused, match=words):
        enter(acme, sam, **changes)
    assert Outage.objects.count() == CreditProposal.objects.count() == StaffAction.objects.count() == 0


def test_the_same_time_is_credited_once(acme: Company, sam: User) -> None:
    enter(acme, sam)
    with pytest.raises(OutageRefused, match="INC-7 covers part of that time already"):
        enter(acme, sam, starts=wall(1, 15, 9, 29), ends=wall(1, 15, 10), incident="B")
    with pytest.raises(OutageRefused, match="covers part"):
        enter(acme, sam, service="")
    with pytest.raises(ReasonMissing):
        enter(acme, sam, starts=wall(1, 16, 9), ends=wall(1, 16, 10), reason=" ")


def test_without_a_service_level_there_is_no_credit(sam: User) -> None:
    made = world.company(contract=world.terms(CONTRACT.replace(LEVEL, "")))
    run_billing(now=FEBRUARY)
    with pytest.raises(OutageRefused, match="promises no service level"):
        enter(made, sam)


def test_a_service_that_the_contract_does_not_bill(sam: User) -> None:
    only_main = CONTRACT.replace('rate = "0.50"\n', 'rate = "0.50"\n[usage.scope]\nservice = ["desk"]\n')
    made = world.company(contract=world.terms(only_main))
    run_billing(now=FEBRUARY)
    with pytest.raises(OutageRefused, match=r"no service “fax”\. It bills desk, main"):
        enter(made, sam, service="fax")


MARCH = Period(date(2026, 3, 1), date(2026, 4, 1), "America/New_York")
PROMISE = ServiceLevel(Decimal("99.9"), Decimal("12.5"), Decimal("100"))


def test_the_hour_the_clocks_skip_is_not_a_part_of_the_month() -> None:
    """March 2026 has 44,580 minutes in New York; 99.9 % of it leave 44.58 minutes."""
    noon = datetime(2026, 3, 10, 16, tzinfo=UTC)

    def credit(minutes: int, seconds: int = 0) -> int:
        end = noon.replace(minute=minutes, second=seconds)
        usage, nothing = Money(1_01, "USD"), Money(0, "USD")
        return credit_for(level=PROMISE, period=MARCH, down=[(noon, end)], usage=usage, given=nothing).amount

    assert credit(44, 34) == 0
    assert credit(44, 35) == 13  # 12.5 % of 1.01 is 0.12625


def test_overlapping_outages_are_counted_once() -> None:
    start = datetime(2026, 3, 10, 16, tzinfo=UTC)
    down = [(start, start.replace(minute=20)), (start.replace(minute=10), start.replace(minute=30))]
    told = credit_for(
        level=PROMISE, period=MARCH, down=down, usage=Money(1_00, "USD"), given=Money(0, "USD")
    ).formula
    assert "1 − 30 minutes down / 44,580 minutes" in told


def test_a_wall_time_that_does_not_exist_is_refused(sam: User) -> None:
    made = world.company(contract=world.terms(CONTRACT))
    run_billing(now=world.at("2026-04-01T09:00"))
    run_billing(now=world.at("2026-04-01T09:00"))
    with pytest.raises(OutageRefused, match="02:30 of 8 March 2026 does not exist in America/New_York"):
        propose_outage_credit(
            company_id=made.id,
            service="main",
            starts=wall(3, 8, 2, 30),
            ends=wall(3, 8, 4, 0),
            incident="INC-8",
            reason="Night",
            actor_id=sam.id,
            now=world.at("2026-04-02T09:00"),
        )
