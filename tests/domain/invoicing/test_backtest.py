"""A back-test says what a real billing run under the draft would have issued, and writes nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.apps import apps
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from callbill.domain.customers.models import Company
from callbill.domain.invoicing.models import Invoice, InvoiceSection
from callbill.domain.invoicing.operations import add_adjustment, run_billing
from callbill.domain.invoicing.queries import Backtest, BacktestRefused, BacktestRow, backtest
from callbill.rules.document import read_terms
from callbill.rules.money import Money
from callbill.rules.terms import Terms
from tests.domain.world import PER_CALL, at, calls, company, organization, person, terms

APRIL = at("2026-04-02T09:00")
TAXED = PER_CALL + '[tax]\n[[tax.rate]]\nname = "Sales tax"\npercent = "8.875"\n'
RICH = (
    TAXED.replace("1.35", "1.10")
    + """
[[fee]]
id = "desk"
name = "Front desk"
amount = "49.00"
when = "advance"
[[fee]]
id = "setup"
name = "Set-up"
amount = "250.00"
every = "once"
[minimum]
amount = "30.00"
[[discount]]
name = "Launch"
percent = "10"
"""
)


def row(found: Backtest, month: int, key: str = "acme") -> BacktestRow:
    """The row of a company in a month of 2026."""
    return next(r for r in found.rows if (r.company_key, r.period.first_day.month) == (key, month))


def tables() -> dict[str, int]:
    """How many rows every table has."""
    return {model.__name__: model._default_manager.count() for model in apps.get_models()}


@pytest.mark.django_db
def test_three_months_against_what_was_invoiced_writing_nothing() -> None:
    acme = company(contract=terms(TAXED))
    calls(acme, 100, on=date(2026, 1, 15))
    calls(acme, 10, on=date(2026, 3, 15))
    run_billing(now=APRIL)
    before = tables()
    found = backtest(terms=terms(RICH), company_ids=[acme.id], months=3, now=APRIL)

    assert tables() == before
    assert [r.period.key for r in found.rows] == ["2026-01", "2026-02", "2026-03"]
    january = row(found, 1)
    assert january.invoices == ("CIC-000001",)
    # Paid 100 x 1.35 = 135.00 and 11.98 tax.
    assert january.paid_total.text == "146.98"
    # 110.00, set-up 250.00, the desk for January and for February 98.00; 10 % off; 8.875 % tax on 412.20.
    assert (january.would_pay.usage, january.would_pay.fees) == (110_00, 348_00)
    assert (january.would_pay.discounts, january.would_pay.tax) == (-45_80, 36_58)
    assert january.difference.text == "301.80"
    # In February nothing was used: the desk for March 49.00 less 10 %, the minimum 30.00, tax on 74.10.
    february = row(found, 2)
    assert (february.would_pay.minimum, february.would_pay_total.text) == (30_00, "80.68")
    assert february.paid_total.text == "0.00"
    assert (row(found, 3).received, row(found, 3).billable) == (10, 10)
    assert found.difference == found.would_pay - found.paid
    assert found.paid == Money(sum(i.total_minor for i in Invoice.objects.all()), "USD")
    lines = {line.charge: (line.paid, line.would_pay) for line in january.lines}
    assert lines["inbound"] == (Money(135_00, "USD"), Money(110_00, "USD"))
    assert lines["setup"] == (None, Money(250_00, "USD"))
    assert [(c.company_key, c.periods, c.difference) for c in found.companies] == [
        ("acme", 3, found.difference)
    ]


@pytest.mark.django_db
def test_late_calls_count_to_their_own_period_and_adjustments_to_none() -> None:
    acme = company(contract=terms(TAXED))
    calls(acme, 100, on=date(2026, 1, 15))
    run_billing(now=at("2026-02-02T09:00"))
    calls(acme, 20, on=date(2026, 1, 20))
    add_adjustment(
        company_id=acme.id,
        kind="promotion",
        name="Sorry",
        amount=Money(-5_00, "USD"),
        reason="Promised",
        actor_id=person("sam@cic.example", staff=True).id,
        now=at("2026-02-03T09:00"),
    )
    run_billing(now=APRIL)
    found = backtest(terms=terms(TAXED), company_ids=None, months=3, now=APRIL)

    january, february = row(found, 1), row(found, 2)
    assert january.invoices == ("CIC-000001", "CIC-000002")
    assert (january.paid.usage, january.would_pay.usage, january.received) == (162_00, 162_00, 120)
    assert [(r.paid.total, r.would_pay.total) for r in (february, row(found, 3))] == [(0, 0), (0, 0)]
    assert found.difference.text == "0.00"


@pytest.mark.django_db
def test_where_nothing_was_invoiced_the_terms_in_force_are_the_other_side() -> None:
    acme = company(contract=terms(RICH))
    calls(acme, 100, on=date(2026, 1, 15))
    found = backtest(terms=terms(RICH), company_ids=[acme.id], months=12, now=APRIL)
    assert [r.invoices for r in found.rows] == [(), (), ()]
    assert [r.difference.minor for r in found.rows] == [0, 0, 0]
    assert row(found, 1).paid_total.text == "448.78"
    cheaper = backtest(terms=terms(TAXED), company_ids=[acme.id], months=1, now=APRIL)
    assert [(r.period.key, r.paid_total.text, r.would_pay_total.text) for r in cheaper.rows] == [
        ("2026-03", "80.68", "0.00")
    ]
    run_billing(now=APRIL)
    billed = backtest(terms=terms(RICH), company_ids=[acme.id], months=12, now=APRIL)
    assert [(r.paid, r.would_pay) for r in billed.rows] == [(r.paid, r.would_pay) for r in found.rows]


@pytest.mark.django_db
def test_what_does_not_fit_is_refused_with_every_reason() -> None:
    acme = company()
    euro = company("euro", "Euro Dental", terms(currency="EUR"))
    west = company("west", "West Dental", terms(time_zone="America/Los_Angeles", billing_day=15))
    bare = Company.objects.create(key="bare", name="Bare Dental")
    new = company("new", "New Dental", terms(effective_from=date(2026, 4, 1)))
    found = backtest(terms=terms(), company_ids=None, months=2, now=APRIL)
    assert [r.company_key for r in found.rows] == ["acme", "acme"]
    assert {left.company_key: left.reason for left in found.left_out} == {
        "bare": "has no contract yet",
        "euro": "pays in EUR, and the draft is in USD",
        "new": "has had no whole billing period since 2026-04-01",
        "west": "is billed in America/Los_Angeles, and the draft is in America/New_York",
    }
    asked = [acme.id, euro.id, west.id, bare.id, new.id]
    with pytest.raises(BacktestRefused) as refused:
        backtest(terms=terms(billing_day=15), company_ids=asked, months=2, now=APRIL)
    assert [str(problem) for problem in refused.value.problems] == [
        "billing_day: Acme Dental has billing day 1, and the draft 15",
        "company: Bare Dental has no contract yet",
        "currency: Euro Dental pays in EUR, and the draft is in USD",
        "billing_day: New Dental has billing day 1, and the draft 15",
        "time_zone: West Dental is billed in America/Los_Angeles, and the draft is in America/New_York",
    ]
    for months in (0, 37):
        with pytest.raises(BacktestRefused, match=f"months: is {months}; it must be 1 to 36"):
            backtest(terms=terms(), company_ids=[acme.id], months=months, now=APRIL)
    with pytest.raises(BacktestRefused, match="there is no company"):
        backtest(terms=terms(), company_ids=[], months=2, now=APRIL)


RATES = st.integers(0, 30_000).map(lambda n: f"{n // 10_000}.{n % 10_000:04d}")
AMOUNTS = st.integers(0, 30_000).map(lambda n: f"{n // 100}.{n % 100:02d}")
PERCENTS = st.sampled_from(("10", "33.3333", "8.875", "5"))


@st.composite
def prices(draw: st.DrawFn) -> dict[str, Any]:
    """A price of each kind, sometimes with included units, a floor and a cap, pooled."""
    tiers = [{"up_to": 5, "rate": draw(RATES), "flat": draw(AMOUNTS)}, {"rate": draw(RATES)}]
    price: dict[str, Any] = draw(
        st.sampled_from(
            (
                {"rate": draw(RATES)},
                {"rate": draw(RATES), "connection_fee": "0.0333"},
                {"tiers": tiers},
                {"tiers": tiers, "tier_mode": "volume"},
                {"package": {"size": 3, "rate": draw(RATES)}},
            )
        )
    )
    for key, value in (
        ("included", 4),
        ("minimum", draw(AMOUNTS)),
        ("prorate", True),
        ("pooled", True),
        ("round_each_call", 2),
    ):
        if draw(st.booleans()) and (key != "round_each_call" or "flat" not in str(price)):
            price[key] = value
    return price


@st.composite
def contracts(draw: st.DrawFn) -> dict[str, Any]:
    """A contract with a charge or two, fees, a minimum, discounts and taxes, as they come."""
    usage = [{"id": "short", "name": "Calls", "unit": "call", **draw(prices())}]
    if draw(st.booleans()):
        minutes = {"unit": "minute", "increments": draw(st.sampled_from(("60/6", "1/1"))), **draw(prices())}
        usage.insert(0, {"id": "long", "name": "Minutes", "scope": {"direction": ["outbound"]}, **minutes})
    made: dict[str, Any] = {
        "currency": "USD",
        "time_zone": "America/New_York",
        "effective_from": "2026-01-01",
        "billable": {"min_talk_seconds": draw(st.sampled_from((0, 30)))},
        "usage": usage,
    }
    shapes = ({"when": "advance"}, {"when": "arrears", "prorate": True}, {"every": "once"})
    made["fee"] = [
        {"id": f"fee-{n}", "name": f"Fee {n}", "amount": draw(AMOUNTS), **shape}
        for n, shape in enumerate(shapes)
        if draw(st.booleans())
    ]
    if draw(st.booleans()):
        made["minimum"] = {"amount": draw(AMOUNTS), "prorate": draw(st.booleans())}
    off = st.one_of(PERCENTS.map(lambda p: {"percent": p}), AMOUNTS.map(lambda a: {"amount": a}))
    made["discount"] = [{"name": f"Off {n}", **draw(off)} for n in range(draw(st.integers(0, 2)))]
    rate = st.builds(lambda n, p: {"name": f"Tax {n}", "percent": p}, st.integers(1, 2), PERCENTS)
    made["tax"] = {
        "behavior": draw(st.sampled_from(("exclusive", "inclusive"))),
        "rate": draw(st.lists(rate, max_size=2, unique_by=lambda given: given["name"])),
    }
    return made


@st.composite
def some_calls(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Calls of January to March for the first or the second company; some come in late."""
    return [
        {
            "company": draw(st.integers(0, 2)),
            "on": date(2026, draw(st.integers(1, 3)), draw(st.integers(1, 28))),
            "count": draw(st.integers(1, 9)),
            "talk_seconds": draw(st.sampled_from((10, 61, 125))),
            "direction": draw(st.sampled_from(("inbound", "outbound"))),
            "late": draw(st.booleans()),
        }
        for _ in range(draw(st.integers(0, 6)))
    ]


def cast(prefix: str, document: dict[str, Any], begins: date) -> list[Company]:
    """Three companies under that contract: two of an organization, one on its own."""
    group = organization(f"{prefix}-group", f"{prefix} group")

    def agreed(**changes: Any) -> Terms:
        return read_terms({**document, **changes})

    return [
        company(f"{prefix}-a", f"{prefix} A", agreed(payer="organization"), of=group),
        company(f"{prefix}-b", f"{prefix} B", agreed(payer="organization"), of=group),
        company(f"{prefix}-c", f"{prefix} C", agreed(effective_from=begins.isoformat())),
    ]


class AgainstARealRun(TestCase):
    """One database transaction per example."""

    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(contracts(), contracts(), some_calls(), st.sampled_from((1, 11)))
    def test_it_is_what_a_real_run_under_the_draft_would_have_issued(
        self, agreed: dict[str, Any], draft: dict[str, Any], some: list[dict[str, Any]], begins: int
    ) -> None:
        started = date(2026, 1, begins)
        tested, twins = cast("tested", agreed, started), cast("twin", draft, started)
        for each in some:
            calls(twins[each["company"]], **_made(each))
            if not each["late"]:
                calls(tested[each["company"]], **_made(each))
        run_billing(now=at("2026-03-02T09:00"))
        for each in some:
            if each["late"]:
                calls(tested[each["company"]], **_made(each))
        run_billing(now=APRIL)
        a, b, c = (each.id for each in tested)
        pooled = read_terms({**draft, "payer": "organization"})
        of_group = backtest(terms=pooled, company_ids=[a, b], months=3, now=APRIL)
        alone = backtest(terms=read_terms(draft), company_ids=[c], months=3, now=APRIL)
        would_pay = {
            (r.company_key.replace("tested", "twin"), r.period.first_day): (
                r.would_pay.subtotal,
                r.would_pay.tax,
            )
            for r in (*of_group.rows, *alone.rows)
        }
        issued = InvoiceSection.objects.filter(company__in=twins).select_related("invoice", "company")
        assert would_pay == {
            (section.company.key, section.invoice.first_day): (section.subtotal_minor, section.tax_minor)
            for section in issued
        }
        assert len(would_pay) == 9
        sections = InvoiceSection.objects.filter(company__in=tested)
        assert of_group.paid + alone.paid == Money(sum(section.total_minor for section in sections), "USD")


def _made(each: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in each.items() if key not in ("company", "late")}
