"""The table of everything a contract file may say: each key with its kind and what it means.

Reading, writing and the JSON Schema all follow this one table; defaults and what must be there are the
dataclasses' of `terms`. The order is the order in which a file is written.
"""

from __future__ import annotations

from callbill.rules import terms
from callbill.rules.document._calendar import Clock, Day, Zone
from callbill.rules.document._numbers import DecimalText, Quantity
from callbill.rules.document._scalars import (
    Choice,
    Currency,
    IncrementsText,
    ListOf,
    Pattern,
    Text,
    Whole,
    YesNo,
)
from callbill.rules.document._tables import Either, Field, Table, TableList

DIRECTIONS = ("inbound", "outbound", "internal")
DISPOSITIONS = ("answered", "abandoned", "no_answer", "busy", "failed", "voicemail")
FLAGS = ("spam", "wrong_number", "test", "internal", "robocall")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

ID = Pattern(
    "[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "letters, digits, - and _, beginning with a letter or digit", "inbound"
)
NUMBER = Pattern(r"\+[1-9][0-9]{1,14}", "an E.164 number, + and digits only", "+12125550100")
PREFIX = Pattern(r"\+[1-9][0-9]{0,14}", "the beginning of an E.164 number, + and digits only", "+1212")
NAME = Text()
RATE = DecimalText(example="1.35")
AMOUNT = DecimalText(example="49.00", money=True)
PERCENT = DecimalText(example="8.875", most=100)
UNITS = Quantity()

_FREE_SHORT_CALLS = Table(
    terms.FreeShortCalls,
    (
        Field("under_seconds", Whole(1, 86400), "how short: under this many seconds of talk"),
        Field("per_period", Whole(1, 1_000_000), "how many of them are free in each period"),
    ),
    inline=True,
)

BILLABLE = Table(
    terms.Billable,
    (
        Field("dispositions", ListOf(Choice(DISPOSITIONS)), "the dispositions that count", always=True),
        Field(
            "anchor", Choice(("started_at", "ended_at")), "which time puts a call into a period", always=True
        ),
        Field("min_talk_seconds", Whole(0, 86400), "calls with less talk time do not count", always=True),
        Field(
            "exclude_flags",
            ListOf(Choice(FLAGS), may_be_empty=True),
            "calls with one of these flags do not count",
            always=True,
        ),
        Field("exclude_cap_percent", PERCENT, "at most this share of a period's calls is excluded by flags"),
        Field("free_short_calls", _FREE_SHORT_CALLS, "the first short calls of a period that are free"),
        Field(
            "test_numbers", ListOf(NUMBER, may_be_empty=True), "calls from or to these numbers do not count"
        ),
    ),
)

SCOPE = Table(
    terms.Scope,
    (
        Field("direction", ListOf(Choice(DIRECTIONS)), "the directions it takes; all if not given"),
        Field("service", ListOf(Text(example="main")), "the lines of service it takes; all if not given"),
        Field("queue", ListOf(Text(example="reception")), "the queues it takes; all if not given"),
        Field("number", ListOf(NUMBER), "the operator's numbers it takes; all if not given"),
        Field(
            "prefix", ListOf(PREFIX), "the beginnings of destination numbers it takes; the longest match wins"
        ),
        Field("weekdays", ListOf(Choice(WEEKDAYS)), "the local weekdays it takes; all if not given"),
        Field("from", Clock(), "the local time of day from which it takes calls", attribute="from_time"),
        Field("until", Clock(), "the local time of day before which it takes calls", attribute="until_time"),
        Field("holidays", ID, "the holiday calendar whose days it does not take"),
    ),
    together=("from", "until"),
)

_TIER = Table(
    terms.Tier,
    (
        Field(
            "up_to", Quantity(above_zero=True), "the last unit of this tier, inclusive; not in the last tier"
        ),
        Field("rate", RATE, 'the price of one unit in this tier, as in "1.20"'),
        Field("flat", RATE, "added once if the tier is reached"),
    ),
    inline=True,
)

_PACKAGE = Table(
    terms.Package,
    (
        Field("size", Whole(1, 1_000_000_000), "units in a package"),
        Field("rate", RATE, 'the price of each started package, as in "10.00"'),
    ),
    inline=True,
)

USAGE = Table(
    terms.UsageCharge,
    (
        Field("id", ID, 'a short id of its own, as in "inbound"'),
        Field("name", NAME, 'the words on the invoice, as in "Inbound calls"'),
        Field("unit", Choice(("call", "minute")), 'what is priced: "call" or "minute"'),
        Field("rate", RATE, "the price of one unit"),
        Field("tiers", TableList(_TIER, may_be_empty=False), "prices by volume, the last one without up_to"),
        Field(
            "tier_mode",
            Choice(("graduated", "volume")),
            "each unit at its tier's price, or all at the reached one's",
        ),
        Field("package", _PACKAGE, "a price per started package"),
        Field("increments", IncrementsText(), "seconds round per call: initial/increment"),
        Field("basis", Choice(("talk", "handle")), "which minutes: talk, or handle with the wrap-up"),
        Field("connection_fee", RATE, "added for each billed call"),
        Field("round_each_call", Whole(0, 12), "decimals to which each call's price is rounded"),
        Field("included", UNITS, "units that are free in each period"),
        Field("minimum", AMOUNT, "the least this charge comes to in a period"),
        Field("maximum", AMOUNT, "the most this charge comes to in a period"),
        Field("prorate", YesNo(), "whether included units, tiers, floor and cap shrink in a part period"),
        Field("pooled", YesNo(), "whether an organization's companies share it"),
        Field("tax_code", Text(most=64, example="answering"), "what it is to the tax office"),
        Field("scope", SCOPE, "which calls it takes; all given keys must fit"),
    ),
    exactly_one=("rate", "tiers", "package"),
)

_FEE_QUANTITY = Table(
    terms.QuantityOverTime,
    (
        Field("by", Choice(("fixed", "maximum", "average", "end")), "how the history becomes one number"),
        Field("of", ID, 'whose dated history, as in "seats"'),
    ),
    inline=True,
)

FEE = Table(
    terms.Fee,
    (
        Field("id", ID, 'a short id of its own, as in "platform"'),
        Field("name", NAME, 'the words on the invoice, as in "Platform fee"'),
        Field("amount", RATE, 'the price of one unit of its quantity, as in "49.00"'),
        Field("quantity", Either(UNITS, _FEE_QUANTITY), "how many, or a dated history that says how many"),
        Field("every", Choice(("month", "once")), "each period, or once on the first invoice", always=True),
        Field("when", Choice(("advance", "arrears")), "billed before the period or after it", always=True),
        Field("prorate", YesNo(), "whether a part period costs its share of days", always=True),
        Field("tax_code", Text(most=64, example="answering"), "what it is to the tax office"),
    ),
)

MINIMUM = Table(
    terms.MonthlyMinimum,
    (
        Field("amount", AMOUNT, 'the least the counted charges come to, as in "1000.00"'),
        Field("counts", ListOf(ID), "the charges that count toward it; all usage charges if not given"),
        Field("prorate", YesNo(), "whether it shrinks in a part period", always=True),
    ),
)

DISCOUNT = Table(
    terms.Discount,
    (
        Field("name", NAME, 'the words on the invoice, as in "Launch promotion"'),
        Field("percent", PERCENT, "percent of the lines it applies to"),
        Field("amount", AMOUNT, "an amount off in each period"),
        Field("applies_to", ListOf(ID), "the charges and fees it lowers; all if not given"),
        Field("from", Day(), "the first day it holds", attribute="from_date"),
        Field("until", Day(), "the last day it holds", attribute="until_date"),
    ),
    exactly_one=("percent", "amount"),
)

_TAX_RATE = Table(
    terms.TaxRate,
    (
        Field("name", NAME, 'the words on the invoice, as in "NY sales tax"'),
        Field("percent", PERCENT, 'the rate in percent, as in "8.875"'),
        Field("applies_to", ListOf(ID), "the lines it taxes; all if not given"),
    ),
)

TAX = Table(
    terms.Tax,
    (
        Field(
            "behavior",
            Choice(("exclusive", "inclusive")),
            "tax on top of the prices, or inside them",
            always=True,
        ),
        Field("rate", TableList(_TAX_RATE), "the taxes", attribute="rates"),
    ),
)

SERVICE_LEVEL = Table(
    terms.ServiceLevel,
    (
        Field("availability_percent", PERCENT, 'what is promised, as in "99.95"'),
        Field(
            "credit_percent",
            PERCENT,
            'of the affected month\'s usage, credited when it is missed, as in "10"',
        ),
        Field("cap_percent", PERCENT, 'the most that is credited, as in "50"'),
    ),
)

CONTRACT = Table(
    terms.Terms,
    (
        Field("payer", Choice(("company", "organization")), "who is billed under it", always=True),
        Field("currency", Currency(), 'the ISO 4217 currency of every amount, as in "USD"'),
        Field("time_zone", Zone(), 'the IANA time zone of every date, as in "America/New_York"'),
        Field(
            "billing_day",
            Whole(1, 31),
            "the day periods begin; 31 is the last day of short months",
            always=True,
        ),
        Field("effective_from", Day(), "the first day it holds, as in 2026-01-31"),
        Field(
            "late_window_days", Whole(0, 3650), "how long a late call is still billed by itself", always=True
        ),
        Field("payment_terms_days", Whole(0, 365), "days from issue to due; 0 is due at issue", always=True),
        Field("billable", BILLABLE, "which calls count at all", always=True),
        Field("usage", TableList(USAGE), "charges for calls; the first whose scope fits takes the call"),
        Field("fee", TableList(FEE), "fixed amounts", attribute="fees"),
        Field("minimum", MINIMUM, "the monthly minimum"),
        Field(
            "discount",
            TableList(DISCOUNT),
            "discounts, each on what the one before left",
            attribute="discounts",
        ),
        Field("tax", TAX, "taxes", always=True),
        Field("service_level", SERVICE_LEVEL, "what is promised, and credited when it is missed"),
    ),
)
