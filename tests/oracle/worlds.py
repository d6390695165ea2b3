"""Random contracts with all features together, and calls, calendars and histories to bill under them.

Everything is drawn from a `random.Random`, so that Hypothesis can hand in one that it shrinks, and a long run
a seeded one that needs no shrinking. Contracts are meant to be valid; the few that tie in scope are refused
by the program and drawn again.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

from tests.oracle.calls_around import made_up_calls
from tests.oracle.days import NAMES, ONE_DAY, days_in, period_of_month
from tests.oracle.world import Span, World

# Zones with the months in which their clocks do something, and one quiet month.
MONTHS = {
    "America/New_York": ("2025-03", "2025-10", "2025-11", "2026-02"),
    "Europe/London": ("2025-03", "2025-10", "2024-02"),
    "America/Sao_Paulo": ("2018-02", "2018-11", "2018-10", "2025-07"),
    "Asia/Tokyo": ("2025-01", "2024-02"),
    "Africa/Cairo": ("2023-04", "2023-10", "2025-10"),
    "Pacific/Apia": ("2011-12", "2011-11", "2012-01"),
    "Australia/Lord_Howe": ("2025-04", "2025-10"),
    "America/St_Johns": ("2010-11", "2010-10", "2011-03"),
    "America/Havana": ("2025-03", "2025-11"),
    "UTC": ("2026-03",),
}
CURRENCIES = ("USD", "EUR", "JPY", "KWD")
RATES = ("1.35", "0.10", "0.95", "1", "0", "0.005", "0.333333333333", "12.5", "0.000000000001", "2.675")
PERCENTS = ("10", "20", "8.875", "50", "100", "0", "33.333333333333", "1.5", "0.5")
DISPOSITIONS = ("answered", "abandoned", "no_answer", "busy", "failed", "voicemail")
DIRECTIONS = ("inbound", "outbound", "internal")
FLAGS = ("spam", "wrong_number", "test", "internal", "robocall")
PREFIXES = ("+1", "+1212", "+1646", "+44", "+442", "+4420", "+81")
BANDS = (("08:00", "18:00"), ("22:00", "06:00"), ("01:30", "02:30"), ("23:00", "00:30"))
BOUNDS = (1, 2, 3, 5, 8, 13, 21, "0.5", "7.25")
INCREMENTS = ("1/1", "60/60", "60/6", "30/6", "6/6", "30/60")
PLACES = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}


def chance(random: Random, percent: int) -> bool:
    """True in so many of a hundred cases; False is the simple case."""
    return random.randint(0, 99) >= 100 - percent


def some(random: Random, of: tuple[str, ...], most: int = 3) -> list[str]:
    """One or a few different ones."""
    return random.sample(of, random.randint(1, min(most, len(of))))


def rate(random: Random) -> str:
    """A rate in major units with up to twelve decimals."""
    if chance(random, 70):
        return random.choice(RATES)
    return f"{random.randint(0, 40)}.{random.randint(0, 10**6):0{random.choice((2, 3, 6, 12))}d}"[:16]


def amount(random: Random, currency: str, most: int = 300) -> str:
    """An amount in major units with the decimals of the currency."""
    places = PLACES[currency]
    whole = random.randint(0, most)
    return f"{whole}.{random.randint(0, 10**places - 1):0{places}d}" if places else str(whole)


def contract(random: Random, zone: str, companies: int) -> dict[str, Any]:
    """The image of a contract file."""
    currency = random.choice(CURRENCIES)
    document: dict[str, Any] = {
        "currency": currency,
        "time_zone": zone,
        "effective_from": "2010-01-01",
        "billing_day": random.choice((1, 1, 31, 31, 30, 29, 28, 15, 4)),
    }
    if companies > 1:
        document["payer"] = "organization"
    if chance(random, 70):
        document["billable"] = billable(random)
    charges = random.randint(0, 4)
    document["usage"] = [usage(random, f"use{place}", currency, companies) for place in range(charges)]
    for charge in document["usage"][: charges - 1 if chance(random, 60) else charges]:
        charge["scope"] = scope(random)
    document["fee"] = [fee(random, f"fee{place}", currency) for place in range(random.randint(0, 3))]
    ids = tuple(item["id"] for item in document["usage"] + document["fee"])
    if chance(random, 40):
        document["minimum"] = {"amount": amount(random, currency, 400), "prorate": chance(random, 50)}
        if ids and chance(random, 50):
            document["minimum"]["counts"] = some(random, ids)
    document["discount"] = [discount(random, currency, ids) for _ in range(random.randint(0, 3))]
    document["tax"] = tax(random, (*ids, "minimum") if "minimum" in document else ids)
    return document


def billable(random: Random) -> dict[str, Any]:
    """Which calls count."""
    rules: dict[str, Any] = {"anchor": random.choice(("started_at", "started_at", "ended_at"))}
    if chance(random, 50):
        rules["dispositions"] = ["answered", *some(random, DISPOSITIONS[1:])]
    if chance(random, 30):
        rules["min_talk_seconds"] = random.choice((1, 5, 30))
    if chance(random, 50):
        rules["exclude_flags"] = some(random, FLAGS, 5)
    if chance(random, 50):
        rules["exclude_cap_percent"] = random.choice(("0", "10", "20", "33.3", "50"))
    if chance(random, 40):
        rules["free_short_calls"] = {
            "under_seconds": random.choice((6, 30, 61)),
            "per_period": random.randint(1, 4),
        }
    if chance(random, 30):
        rules["test_numbers"] = ["+12125550100"]
    return rules


def scope(random: Random) -> dict[str, Any]:
    """Which calls a charge takes."""
    keys: dict[str, Any] = {}
    if chance(random, 40):
        keys["direction"] = some(random, DIRECTIONS)
    if chance(random, 30):
        keys["service"] = some(random, ("main", "sales"))
    if chance(random, 30):
        keys["queue"] = some(random, ("reception", "night"))
    if chance(random, 20):
        keys["number"] = some(random, ("+15550101", "+15550102"))
    if chance(random, 40):
        keys["prefix"] = some(random, PREFIXES)
    if chance(random, 30):
        keys["weekdays"] = some(random, NAMES, 6)
    if chance(random, 40):
        start, end = random.choice(
            (("08:00", "18:00"), ("22:00", "06:00"), ("01:30", "02:30"), ("23:00", "00:30"))
        )
        keys |= {"from": start, "until": end}
    if chance(random, 30):
        keys["holidays"] = random.choice(("bank", "summer"))
    return keys or {"direction": ["inbound"]}


def usage(random: Random, name: str, currency: str, companies: int) -> dict[str, Any]:
    """A usage charge with any price and option."""
    unit = random.choice(("call", "minute"))
    charge: dict[str, Any] = {"id": name, "name": f"Charge {name}", "unit": unit}
    charge |= price(random)
    if unit == "minute" and chance(random, 70):
        charge["increments"] = random.choice(INCREMENTS)
    if chance(random, 30):
        charge["basis"] = "handle"
    if chance(random, 25):
        charge["connection_fee"] = rate(random)
    if chance(random, 25):
        charge["round_each_call"] = random.choice((0, 1, 2, 2, 3, 4))
    if chance(random, 35):
        charge["included"] = random.choice((1, 3, 5, 10, "2.5", "0.1"))
    low, high = sorted((random.randint(0, 60), random.randint(0, 60)))
    if chance(random, 25):
        charge["minimum"] = str(low)
    if chance(random, 25):
        charge["maximum"] = f"{high}.5" if PLACES[currency] else str(high + 1)
    if chance(random, 40):
        charge["prorate"] = True
    if companies > 1 and chance(random, 60):
        charge["pooled"] = True
    return charge


def price(random: Random) -> dict[str, Any]:
    """Flat, tiers or packages."""
    way = random.choice(("rate", "tiers", "package"))
    if way == "rate":
        return {"rate": rate(random)}
    if way == "package":
        return {"package": {"size": random.choice((1, 2, 5, 10)), "rate": rate(random)}}
    tiers: list[dict[str, Any]] = []
    for bound in sorted(random.sample(BOUNDS, random.randint(0, 3)), key=Decimal):
        tiers.append({"up_to": bound, "rate": rate(random)})
    tiers.append({"rate": rate(random)})
    for tier in tiers:
        if chance(random, 40):
            tier["flat"] = rate(random)
    return {"tiers": tiers, "tier_mode": random.choice(("graduated", "volume"))}


def fee(random: Random, name: str, currency: str) -> dict[str, Any]:
    """A monthly or set-up fee."""
    said: dict[str, Any] = {"id": name, "name": f"Fee {name}", "amount": amount(random, currency, 99)}
    if chance(random, 50):
        said["quantity"] = random.choice((1, 0, 3, "2.5"))
    elif chance(random, 60):
        said["quantity"] = {
            "by": random.choice(("fixed", "maximum", "average", "end")),
            "of": random.choice(("seats", "lines")),
        }
    if chance(random, 20):
        return said | {"every": "once"}
    return said | {"when": random.choice(("advance", "arrears")), "prorate": chance(random, 50)}


def discount(random: Random, currency: str, ids: tuple[str, ...]) -> dict[str, Any]:
    """A percentage or an amount, perhaps dated, perhaps for some charges."""
    said: dict[str, Any] = {"name": f"Discount {random.randint(1, 9)}"}
    if chance(random, 40):
        said["amount"] = amount(random, currency, 40)
    else:
        said["percent"] = random.choice(PERCENTS)
    if ids and chance(random, 50):
        said["applies_to"] = some(random, ids)
    return said


def tax(random: Random, taxed: tuple[str, ...]) -> dict[str, Any]:
    """Up to three rates, on top or inside."""
    rates: list[dict[str, Any]] = []
    for place in range(random.randint(0, 3)):
        said: dict[str, Any] = {"name": f"Tax {place}", "percent": random.choice(PERCENTS)}
        if taxed and chance(random, 50):
            said["applies_to"] = some(random, taxed)
        rates.append(said)
    return {"behavior": random.choice(("exclusive", "exclusive", "inclusive")), "rate": rates}


def _date_discounts(random: Random, document: dict[str, Any], period: Span) -> None:
    """Some discounts begin or end around or inside the period."""
    for said in document["discount"]:
        if not chance(random, 50):
            continue
        near = [period[0] - ONE_DAY, period[0], period[0] + 9 * ONE_DAY, period[1] - ONE_DAY, period[1]]
        first, last = sorted((random.choice(near), random.choice(near)))
        if chance(random, 70):
            said["from"] = first.isoformat()
        if chance(random, 70):
            said["until"] = last.isoformat()


def _part(random: Random, period: Span) -> Span | None:
    """All of the period, or a few days of it."""
    if not chance(random, 40):
        return None
    days = [*days_in(*period), period[1]]
    first, end = sorted(random.sample(range(len(days)), 2))
    if chance(random, 50):
        first, end = random.choice(((0, end), (first, len(days) - 1)))
    return days[first], days[end]


def _advance(random: Random, world_period: Span, billing_day: int, part: Span | None) -> Any:
    """Nothing said; the following period; or the billed days and the following period."""
    after = period_of_month(world_period[1].isoformat()[:7], billing_day)
    way = random.randint(0, 2)
    if way == 0:
        return None
    following = (after, after)
    return [following] if way == 1 else [(part or world_period, world_period), following]


def _histories(random: Random, period: Span) -> dict[str, list[tuple[date, Decimal]]]:
    """What was counted from which day on."""
    first, *days = days_in(period[0] - random.choice((0, 10)) * ONE_DAY, period[1] + 40 * ONE_DAY)
    return {
        name: [
            (day, Decimal(random.choice(("0", "1", "2", "5.5", "12"))))
            for day in [first, *sorted(random.sample(days, random.randint(0, 5)))]
        ]
        for name in ("seats", "lines")
    }


def _adjustments(random: Random, document: dict[str, Any]) -> list[dict[str, Any]]:
    """Credits and corrections that wait for this invoice."""
    ids = [item["id"] for item in document["usage"] + document["fee"]]
    return [
        {
            "id": f"adjustment{place}",
            "amount": random.choice((-1, 1)) * random.randint(0, 5000),
            "taxable": not chance(random, 30),
            "charge": random.choice((None, *ids)),
        }
        for place in range(random.choice((0, 0, 1, 2)))
    ]


def _earlier(random: Random, document: dict[str, Any]) -> dict[str, int]:
    """What an earlier version's part of the period came to, by charge."""
    ids = [item["id"] for item in document["usage"] + document["fee"]]
    return {name: random.randint(0, 9000) for name in ids if chance(random, 40)}


def _treatment(random: Random, period: Span) -> dict[str, Any] | None:
    """Mostly taxed; else reverse charge, or a certificate that may begin or end in the period."""
    if not chance(random, 25):
        return None
    if chance(random, 40):
        return {"kind": "reverse_charge"}
    near = [None, period[0], period[0] + 9 * ONE_DAY, period[1] - ONE_DAY, period[1]]
    return {"kind": "exempt", "from": random.choice(near[:3]), "until": random.choice((None, *near[2:]))}


def draw_world(random: Random) -> World:
    """A contract, its period, its companies and their calls."""
    zone = random.choice(tuple(MONTHS))
    month = random.choice(MONTHS[zone])
    companies = random.choice((1, 1, 1, 2, 3))
    document = contract(random, zone, companies)
    period = period_of_month(month, document["billing_day"])
    _date_discounts(random, document, period)
    part = _part(random, period)
    closes = part is None or not chance(random, 30)
    holidays = {name: random.sample(days_in(*period), 3) for name in ("bank", "summer")}
    return World(
        contract=document,
        month=month,
        part=part,
        companies=[
            {
                "calls": made_up_calls(random, zone, part or period, f"c{place}"),
                "earlier": _earlier(random, document) if part and closes else {},
                "adjustments": _adjustments(random, document),
            }
            for place in range(companies)
        ],
        calendars=holidays,
        histories=_histories(random, period),
        advance_for=_advance(random, period, document["billing_day"], part),
        once=[item["id"] for item in document["fee"] if item.get("every") == "once" and chance(random, 60)],
        treatment=_treatment(random, period),
        closes=closes,
    )
