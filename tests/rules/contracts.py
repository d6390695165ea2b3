"""Contracts for tests: the full example of the contract file, and random ones that are valid."""

from __future__ import annotations

from datetime import date, time
from typing import Any

from hypothesis import strategies as st

EXAMPLE = """
payer          = "company"
currency       = "USD"
time_zone      = "America/New_York"
billing_day    = 1
effective_from = 2026-01-01
late_window_days = 90
payment_terms_days = 14

[billable]
dispositions   = ["answered"]
anchor         = "started_at"
min_talk_seconds = 0
exclude_flags  = ["spam", "test", "wrong_number", "internal"]
exclude_cap_percent = "10"
free_short_calls = { under_seconds = 30, per_period = 30 }
test_numbers   = ["+15550100"]

[[usage]]
id    = "inbound"
name  = "Inbound calls"
unit  = "call"
rate  = "1.35"
tax_code = "answering"
[usage.scope]
direction = ["inbound"]
service   = ["main"]
queue     = ["reception"]
number    = ["+15550101"]
prefix    = ["+1212"]
weekdays  = ["mon", "tue", "wed", "thu", "fri"]
from      = "08:00"
until     = "18:00"
holidays  = "us-federal"

[[usage]]
id    = "support"
name  = "Support minutes"
unit  = "minute"
increments = "60/6"
basis = "talk"
connection_fee = "0.05"
round_each_call = 2
included = 500
tiers = [
  { up_to = 1000, rate = "1.20" },
  { up_to = 5000, rate = "1.00", flat = "3.00" },
  { rate = "0.80" },
]
tier_mode = "graduated"
minimum = "100.00"
maximum = "2000.00"
prorate = false
pooled  = true

[[usage]]
id    = "sms"
name  = "Call summaries"
unit  = "call"
package = { size = 100, rate = "10.00" }

[[fee]]
id     = "platform"
name   = "Platform fee"
amount = "49.00"
quantity = 1
every  = "month"
when   = "advance"
prorate = true

[[fee]]
id = "setup"
name = "Set-up"
amount = "250.00"
every = "once"

[minimum]
amount = "1000.00"
counts = ["inbound", "support"]
prorate = true

[[discount]]
name = "Launch promotion"
percent = "10"
applies_to = ["inbound"]
from = 2026-01-01
until = 2026-06-30

[tax]
behavior = "exclusive"
[[tax.rate]]
name = "NY sales tax"
percent = "8.875"
applies_to = ["inbound", "support"]

[service_level]
availability_percent = "99.95"
credit_percent = "10"
cap_percent = "50"
"""

ids = st.from_regex(r"[a-z][a-z0-9_-]{0,11}", fullmatch=True).filter(
    lambda name: name != "minimum" and not name.startswith("discount-")
)
names = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=30).filter(
    lambda text: text == text.strip()
)
numbers = st.from_regex(r"\+[1-9][0-9]{1,14}", fullmatch=True)
clocks = st.tuples(st.integers(0, 23), st.integers(0, 59), st.sampled_from([0, 30]))
days = st.dates(min_value=date(1970, 1, 1), max_value=date(2999, 12, 31)).map(date.isoformat)


@st.composite
def decimals(draw: st.DrawFn, places: int = 12, most: int = 10**15 - 1) -> str:
    """Decimal text with up to `places` decimals, kept with its zeros at the end."""
    whole = str(draw(st.integers(0, most)))
    fraction = draw(st.text("0123456789", max_size=places))
    return f"{whole}.{fraction}" if fraction else whole


rates = decimals()
amounts = decimals(places=2)
percents = st.one_of(decimals(most=99), st.sampled_from(["100", "100.0"]))
units = st.one_of(st.integers(0, 10**12 - 1), decimals(most=10**12 - 1))


def some(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A table with some of these keys."""
    return st.fixed_dictionaries({}, optional=optional)


def several(entry: st.SearchStrategy[Any], least: int = 1) -> st.SearchStrategy[list[Any]]:
    """A few different entries."""
    return st.lists(entry, min_size=least, max_size=3, unique=True)


def clock_text(*clock: int) -> str:
    """A time of day as it is written: with seconds only if there are any."""
    return time(*clock).isoformat("seconds" if clock[2] else "minutes")


@st.composite
def scopes(draw: st.DrawFn, queue: str) -> dict[str, Any]:
    """A scope that is for one queue only, so that no two of different queues take the same calls."""
    scope = draw(
        some(
            direction=several(st.sampled_from(["inbound", "outbound", "internal"])),
            service=several(names),
            number=several(numbers),
            weekdays=several(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])),
            prefix=several(numbers),
            holidays=ids,
        )
    )
    start, end = draw(clocks), draw(clocks)
    if start != end:
        scope |= {"from": clock_text(*start), "until": clock_text(*end)}
    return {**scope, "queue": [queue]}


@st.composite
def prices(draw: st.DrawFn) -> dict[str, Any]:
    """One of the three ways to price."""
    way = draw(st.sampled_from(["rate", "tiers", "package"]))
    if way == "rate":
        return {"rate": draw(rates)}
    if way == "package":
        return {"package": {"size": draw(st.integers(1, 1000)), "rate": draw(rates)}}
    bounds = sorted(draw(st.sets(st.integers(1, 10**6), max_size=3)))
    tiers = [{"up_to": bound, **draw(some(flat=rates)), "rate": draw(rates)} for bound in bounds]
    mode = draw(some(tier_mode=st.sampled_from(["graduated", "volume"])))
    return {"tiers": [*tiers, {"rate": draw(rates)}], **mode}


@st.composite
def usages(draw: st.DrawFn, charge_id: str) -> dict[str, Any]:
    """A usage charge with any of its options."""
    unit = draw(st.sampled_from(["call", "minute"]))
    charge = draw(
        some(
            tax_code=names,
            basis=st.sampled_from(["talk", "handle"]),
            connection_fee=rates,
            round_each_call=st.integers(0, 12),
            included=units,
            prorate=st.booleans(),
            pooled=st.booleans(),
        )
    )
    if unit == "minute":
        charge |= draw(some(increments=st.sampled_from(["1/1", "60/6", "30/6", "99999/1"])))
    if draw(st.booleans()):
        charge |= {"minimum": draw(decimals(places=2, most=99)), "maximum": "100.00"}
    fixed = {"id": charge_id, "name": draw(names), "unit": unit, "scope": draw(scopes(charge_id))}
    return {**fixed, **charge, **draw(prices())}


@st.composite
def fees(draw: st.DrawFn, fee_id: str) -> dict[str, Any]:
    """A fee with any of its options."""
    over_time = st.fixed_dictionaries(
        {"by": st.sampled_from(["fixed", "maximum", "average", "end"]), "of": ids}
    )
    options = some(
        when=st.sampled_from(["advance", "arrears"]),
        tax_code=names,
        quantity=st.one_of(units, over_time),
    )
    rhythm = st.one_of(
        some(every=st.just("month"), prorate=st.booleans()), st.just({"every": "once", "prorate": False})
    )
    return {"id": fee_id, "name": draw(names), "amount": draw(amounts), **draw(options), **draw(rhythm)}


@st.composite
def billables(draw: st.DrawFn) -> dict[str, Any]:
    """Rules of what counts."""
    short = st.fixed_dictionaries({"under_seconds": st.integers(1, 60), "per_period": st.integers(1, 99)})
    dispositions = st.sampled_from(["answered", "abandoned", "no_answer", "busy", "failed", "voicemail"])
    flags = st.sampled_from(["spam", "wrong_number", "test", "internal", "robocall"])
    return draw(
        some(
            dispositions=several(dispositions),
            anchor=st.sampled_from(["started_at", "ended_at"]),
            min_talk_seconds=st.integers(0, 86400),
            exclude_flags=several(flags, least=0),
            exclude_cap_percent=percents,
            free_short_calls=short,
            test_numbers=several(numbers, least=0),
        )
    )


@st.composite
def contracts(draw: st.DrawFn) -> dict[str, Any]:
    """The JSON image of a valid contract, with anything the contract file knows."""
    here = draw(st.lists(ids, max_size=5, unique=True))
    cut = draw(st.integers(0, len(here)))
    document: dict[str, Any] = {
        "currency": draw(st.sampled_from(["USD", "EUR", "KWD"])),
        "time_zone": draw(st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"])),
        "effective_from": draw(days),
        "usage": [draw(usages(name)) for name in here[:cut]],
        "fee": [draw(fees(name)) for name in here[cut:]],
        "billable": draw(billables()),
    }
    document |= draw(
        some(
            payer=st.sampled_from(["company", "organization"]),
            billing_day=st.integers(1, 31),
            late_window_days=st.integers(0, 3650),
            payment_terms_days=st.integers(0, 365),
        )
    )
    some_ids = some(applies_to=several(st.sampled_from(here))) if here else st.just({})
    promised = ("availability_percent", "credit_percent", "cap_percent")
    if draw(st.booleans()):
        document["service_level"] = {key: draw(percents) for key in promised}
    if draw(st.booleans()):
        counts = some(counts=several(st.sampled_from(here))) if here else st.just({})
        document["minimum"] = {"amount": draw(amounts), **draw(some(prorate=st.booleans())), **draw(counts)}
    document["discount"] = []
    for _ in range(draw(st.integers(0, 2))):
        price = draw(
            st.one_of(
                percents.map(lambda text: {"percent": text}), amounts.map(lambda text: {"amount": text})
            )
        )
        first, last = sorted([draw(days), draw(days)])
        dates = draw(some(**{"from": st.just(first), "until": st.just(last)}))
        document["discount"].append({"name": draw(names), **price, **dates, **draw(some_ids)})
    taxed = st.sampled_from([*here, *(["minimum"] if "minimum" in document else [])] or ["none"])
    document["tax"] = {
        **draw(some(behavior=st.sampled_from(["exclusive", "inclusive"]))),
        "rate": [
            {
                "name": draw(names),
                "percent": draw(percents),
                **(draw(some(applies_to=several(taxed))) if here else {}),
            }
            for _ in range(draw(st.integers(0, 2)))
        ],
    }
    return document
