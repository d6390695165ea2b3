"""Outages: what the contract's service level credits for the minutes a service was not there (M22)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.db.models import Sum

from callbill.domain.customers.models import Company
from callbill.domain.invoicing._late import OldPart
from callbill.domain.invoicing._proposing import CreditLine, with_tax
from callbill.domain.invoicing.models import CreditProposal, InvoiceLine, InvoiceSection, Outage, Stretch
from callbill.domain.usage import queries as calls
from callbill.domain.usage.models import Call
from callbill.domain.users.operations import record_staff_action
from callbill.lib import formats
from callbill.lib.transactions import in_transaction
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.lines import shown
from callbill.rules.money import Money, round_half_away, share
from callbill.rules.period import Period, time_zone
from callbill.rules.terms import ServiceLevel, Terms, UsageCharge


class OutageRefused(Exception):
    """No credit can be computed for this outage; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Credit:
    """What the service level gives for an outage, and the computation in words; 0 if it was kept."""

    amount: int
    formula: str


@in_transaction
def propose_outage_credit(
    *,
    company_id: UUID,
    service: str,
    starts: datetime,
    ends: datetime,
    incident: str,
    reason: str,
    actor_id: UUID,
    now: datetime,
) -> Outage:
    """Enter an outage and propose the credit that the contract's service level gives for it (M22).

    `service` empty: every service. `starts` and `ends` are wall times without an offset in the contract's
    zone, within one billed period. Where the clocks repeat an hour, `starts` is the first and `ends` the
    second. The outage counts toward the month's availability also if it earns no credit; its `proposal` is
    then None and its `outcome` says why. Raises OutageRefused, ReasonMissing; the action is in the audit log.
    """
    company = Company.objects.select_for_update().get(id=company_id)
    base = _billed_stretch(company, starts)
    part = OldPart(base, (base.id,))
    level = part.terms.service_level
    if level is None:
        raise OutageRefused(
            "The contract of that day promises no service level, so it gives no credit. "
            "Add an adjustment by hand if you want to give one."
        )
    window = _window(starts, ends, part.terms.time_zone, now)
    period = Period(base.section.invoice.first_day, base.section.invoice.end_day, part.terms.time_zone)
    if window[1] > period.end:
        raise OutageRefused(f"The outage goes on after {period.label}. Enter each period's part by itself.")
    known = _counted(company, period)
    _refuse_twice(known, service, window, part.terms.time_zone)
    lines = _usage(base.section, _charges(part.terms, service), part.terms)
    down = [window, *((each.starts_at, each.ends_at) for each in known if each.service in ("", service))]
    credit = credit_for(
        level=level,
        period=period,
        down=down,
        usage=Money(sum(line.amount for line in lines), part.terms.currency),
        given=Money(_given(company, period), part.terms.currency),
    )
    told = f"{_told(service, window, part.terms.time_zone)} {credit.formula}"
    affected = calls.calls_started_in(company_id=company.id, start=window[0], end=window[1], service=service)
    proposal = None
    if credit.amount:
        proposal = _propose(part, credit, lines, told=told, affected=affected, incident=incident, now=now)
    record_staff_action(
        actor_id=actor_id,
        action="enter_outage",
        subject_kind="company",
        subject_id=str(company.id),
        subject_label=company.name,
        reason=reason,
        details={"incident": incident, "service": service or "every service", "outcome": told},
        now=now,
    )
    return Outage.objects.create(
        company=company,
        service=service,
        starts_at=window[0],
        ends_at=window[1],
        incident=incident,
        outcome=told,
        created_at=now,
        created_by_id=actor_id,
        proposal=proposal,
    )


def credit_for(
    *,
    level: ServiceLevel,
    period: Period,
    down: Sequence[tuple[datetime, datetime]],
    usage: Money,
    given: Money,
) -> Credit:
    """The credit for a month by its service level (M22).

    Availability is 1 − minutes down / minutes of the period, with overlapping outages counted once. Below
    what is promised, each outage gives `credit_percent` of the month's usage before tax, but all credits of
    the month together (`given` are the others) not more than `cap_percent` of it.
    """
    minutes = _minutes(period.end - period.start)
    lost = _minutes(_together(down))
    available = 100 * (1 - lost / minutes)
    told = (
        f"Availability of {period.label}: 1 − {_figure(lost)} minutes down / {_figure(minutes)} minutes = "
        f"{shown(available)} %; promised are {level.availability_percent:f} %."
    )
    if available >= Fraction(level.availability_percent):
        return Credit(0, f"{told} The promise was kept, so there is no credit.")
    full = round_half_away(usage.minor * Fraction(level.credit_percent) / 100)
    cap = round_half_away(usage.minor * Fraction(level.cap_percent) / 100)
    amount = max(min(full, cap - given.minor), 0)

    def money(minor: int) -> str:
        return formats.money(Money(minor, usage.currency))

    told += (
        f" Credit: {level.credit_percent:f} % of the month's usage {money(usage.minor)} = {money(full)}; "
        f"at most {level.cap_percent:f} % = {money(cap)} in the month"
    )
    told += f", of which {money(given.minor)} is proposed or approved." if given.minor else "."
    if amount < full:
        told += f" That leaves {money(amount)}."
    return Credit(amount, told)


def _billed_stretch(company: Company, starts: datetime) -> Stretch:
    day = starts.date()
    found = (
        Stretch.objects.filter(section__company=company, kind="period", first_day__lte=day, end_day__gt=day)
        .exclude(section__invoice__status=InvoiceStatus.VOID)
        .select_related("section__invoice", "version")
        .first()
    )
    if found is None:
        raise OutageRefused(
            f"The period of {formats.day(day)} has not been billed, so its usage is not known yet. "
            "Enter the outage after its invoice."
        )
    return found


def _window(starts: datetime, ends: datetime, zone: str, now: datetime) -> tuple[datetime, datetime]:
    wall = time_zone(zone)
    instants = []
    for moment, fold in ((starts, 0), (ends, 1)):
        instant = moment.replace(tzinfo=wall, fold=fold).astimezone(UTC)
        if instant.astimezone(wall).replace(tzinfo=None) != moment.replace(fold=0):
            raise OutageRefused(f"{moment:%H:%M} of {formats.day(moment.date())} does not exist in {zone}.")
        instants.append(instant)
    if instants[1] <= instants[0]:
        raise OutageRefused("The outage ends before it begins.")
    if instants[1] > now:
        raise OutageRefused("The outage ends in the future. Enter it when it is over.")
    return instants[0], instants[1]


def _counted(company: Company, period: Period) -> list[Outage]:
    """The outages of a period that count: those whose credit was not refused."""
    found = Outage.objects.filter(company=company, starts_at__lt=period.end, ends_at__gt=period.start)
    return list(found.exclude(proposal__state=CreditProposal.State.REFUSED).order_by("starts_at"))


def _refuse_twice(
    known: Sequence[Outage], service: str, window: tuple[datetime, datetime], zone: str
) -> None:
    for outage in known:
        same = not outage.service or not service or outage.service == service
        if same and outage.starts_at < window[1] and window[0] < outage.ends_at:
            told = _told(outage.service, (outage.starts_at, outage.ends_at), zone)
            raise OutageRefused(f"Incident {outage.incident} covers part of that time already. {told}")


def _charges(terms: Terms, service: str) -> list[UsageCharge]:
    """The charges that bill a service: those that name it; without any, those that name no service."""
    if not service:
        return list(terms.usage)
    naming = [charge for charge in terms.usage if service in charge.scope.service]
    found = naming or [charge for charge in terms.usage if not charge.scope.service]
    if not found:
        named = sorted({name for charge in terms.usage for name in charge.scope.service})
        raise OutageRefused(
            f"The contract bills no service “{service}”. It bills {', '.join(named)}; empty means all."
        )
    return found


def _usage(section: InvoiceSection, charges: Sequence[UsageCharge], terms: Terms) -> list[CreditLine]:
    """What the section billed for the charges in the contract's prices, after discounts, if above zero."""
    net = Sum("amount_minor") + Sum("discount_minor")
    if terms.tax.behavior == "inclusive":
        net += Sum("tax_minor")
    sums = (
        InvoiceLine.objects.filter(section=section, kind="usage", charge__in=[each.id for each in charges])
        .values_list("charge")
        .annotate(net=net)
    )
    nets = dict(sums)
    return [
        CreditLine("usage", each.id, each.name, nets[each.id]) for each in charges if nets.get(each.id, 0) > 0
    ]


def _given(company: Company, period: Period) -> int:
    """The outage credits of the period that are proposed or approved."""
    outages = _counted(company, period)
    return sum(each.proposal.amount_minor for each in outages if each.proposal)


def _propose(
    part: OldPart,
    credit: Credit,
    usage: Sequence[CreditLine],
    *,
    told: str,
    affected: Sequence[Call],
    incident: str,
    now: datetime,
) -> CreditProposal:
    shares = share(credit.amount, [line.amount for line in usage])
    lines = with_tax(
        [
            CreditLine(line.kind, line.charge, line.name, amount)
            for line, amount in zip(usage, shares, strict=True)
            if amount
        ],
        part,
    )
    invoice = part.base.section.invoice
    return CreditProposal.objects.create(
        company_id=part.base.section.company_id,
        invoice=invoice,
        stretch=part.base,
        cause=CreditProposal.Cause.OUTAGE,
        title=f"Outage credit, {part.span.first_day:%B %Y}",
        explanation=told,
        amount_minor=credit.amount,
        tax_minor=sum(line.tax for line in lines),
        currency=invoice.currency,
        lines=[line.to_json() for line in lines],
        calls=[_call_json(call) for call in affected],
        incident=incident,
        created_at=now,
    )


def _call_json(call: Call) -> dict[str, Any]:
    return {
        "call": str(call.id),
        "source": call.source,
        "source_call_id": call.source_call_id,
        "started_at": call.started_at.isoformat(),
        "was": f"{call.disposition}, {call.talk_ms // 1000} s of talk",
        "now": "started in the outage",
    }


def _together(windows: Sequence[tuple[datetime, datetime]]) -> timedelta:
    """How long any of the windows lasted, overlaps counted once."""
    total, until = timedelta(0), datetime.min.replace(tzinfo=UTC)
    for start, end in sorted(windows):
        total += max(end - max(start, until), timedelta(0))
        until = max(until, end)
    return total


def _minutes(length: timedelta) -> Fraction:
    return Fraction(length // timedelta(microseconds=1), 60_000_000)


def _figure(minutes: Fraction) -> str:
    return formats.figure(shown(minutes)) if minutes.denominator == 1 else shown(minutes)


def _told(service: str, window: tuple[datetime, datetime], zone: str) -> str:
    wall = time_zone(zone)
    start, end = (moment.astimezone(wall) for moment in window)
    return (
        f"{service or 'Every service'} was out from {start:%d %B %Y, %H:%M} to {end:%d %B %Y, %H:%M}, "
        f"{zone}: {_figure(_minutes(window[1] - window[0]))} minutes."
    )
