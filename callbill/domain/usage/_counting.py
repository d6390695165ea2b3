"""A contract's counting rules compiled to one SQL query over sets of calls.

The plain rules, call by call, are `callbill.rules.counting`; this says the same in SQL, and a property test
holds the two together. Each comment names the step of `judge` it stands for.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection
from psycopg import sql

from callbill.rules.counting import (
    NO_CALENDARS,
    REASONS,
    WEEKDAYS,
    Calendars,
    ChargeCount,
    Count,
    UnknownCalendar,
    missing_calendars,
    needs_durations,
    needs_order,
)
from callbill.rules.terms import Billable, Increments, Scope, Terms, UsageCharge

K = TypeVar("K", bound=Hashable)
Sql = sql.Composable

_NOTHING = sql.SQL("NULL::text")
_NO_CHARGE = sql.SQL("NULL::integer")
_AND = sql.SQL(" AND ")
_OR = sql.SQL(" OR ")
_SPACE = sql.SQL(" ")


@dataclass(frozen=True, slots=True)
class Settled:
    """The calls that any of these settlements marked, together as one set: a company's in one period."""

    settlement_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """The calls of a company, settled or not, whose anchor instant lies in [start, end)."""

    company_id: UUID
    start: datetime
    end: datetime


class Query:
    """The verdict on every call of some sets under one contract, as a WITH clause named `verdicts`.

    Its columns: set_no, id, anchor, ident (the id of the call as `judge` orders it), reason, charge_no (the
    place of the charge in the contract) and seconds. Every value is a parameter of the query.
    Raises UnknownCalendar for a holiday calendar that `calendars` does not have.
    """

    def __init__(
        self, terms: Terms, sets: Sequence[Settled | Between], calendars: Calendars = NO_CALENDARS
    ) -> None:
        if missing := missing_calendars(terms, calendars):
            raise UnknownCalendar(missing)
        self._calendars = calendars
        self.parameters: dict[str, Any] = {}
        self._terms = terms
        self._sets = sets
        self.verdicts = self._verdicts()

    def value(self, value: Any, type_name: str) -> Sql:
        """A parameter of that SQL type."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return sql.SQL("{}::{}").format(sql.Placeholder(name), sql.SQL(type_name))

    def fetch(self, rest: Sql) -> list[tuple[Any, ...]]:
        """The rows of a statement that reads `verdicts`."""
        with connection.cursor() as cursor:
            cursor.execute(self.statement(rest), self.parameters)
            return list(cursor.fetchall())

    def statement(self, rest: Sql) -> sql.Composed:
        """A statement that reads `verdicts`, to be run with `parameters`."""
        return sql.SQL("{} {}").format(self.verdicts, rest)

    def _verdicts(self) -> Sql:
        rules = self._terms.billable
        return sql.SQL("""
WITH facts AS (
    SELECT chosen.set_no, chosen.id, chosen.anchor, chosen.ident, chosen.talk_ms, chosen.handle_ms,
           {early} AS early, {flag} AS flag, {charge_no} AS charge_no
    FROM ({chosen}) AS chosen
), excluded AS (
    SELECT facts.*,
           CASE WHEN early IS NOT NULL THEN early
                WHEN {flag_counts} THEN flag
                WHEN talk_ms < {shortest} THEN 'too_short'
                WHEN charge_no IS NULL THEN 'no_charge' END AS not_billed
    FROM facts
), judged AS (
    SELECT excluded.*, COALESCE(not_billed, {free}) AS reason FROM excluded
), verdicts AS (
    SELECT set_no, id, anchor, ident, reason,
           CASE WHEN reason = 'billable' THEN charge_no END AS charge_no,
           CASE WHEN reason = 'billable' THEN {seconds} ELSE 0 END AS seconds
    FROM judged
)""").format(
            chosen=self._chosen(rules),
            early=self._early(rules),
            flag=self._flag(rules),
            charge_no=self._charge_no(),
            flag_counts=self._flag_counts(rules),
            shortest=self.value(rules.min_talk_seconds * 1000, "bigint"),
            free=self._free(rules),
            seconds=self._seconds(),
        )

    def _chosen(self, rules: Billable) -> Sql:
        """The calls of the sets. Ids compare by code point, as Python compares texts: COLLATE "C"."""
        anchor = sql.Identifier("c", rules.anchor)
        join = self._between(anchor) if isinstance(self._sets[0], Between) else self._settled()
        return sql.SQL("""
        SELECT sets.set_no, c.*, {anchor} AS anchor, {anchor} AT TIME ZONE {zone} AS wall,
               (c.source || ':' || c.source_call_id) COLLATE "C" AS ident,
               c.talk_ms + COALESCE(c.wrap_ms, 0) AS handle_ms
        FROM usage_call AS c JOIN {join}""").format(
            anchor=anchor, zone=self.value(self._terms.time_zone, "text"), join=join
        )

    def _settled(self) -> Sql:
        pairs = [
            (number, settlement_id)
            for number, wanted in enumerate(self._sets)
            if isinstance(wanted, Settled)
            for settlement_id in dict.fromkeys(wanted.settlement_ids)
        ]
        return sql.SQL(
            "unnest({numbers}, {ids}) AS sets (set_no, settlement_id) ON c.settlement_id = sets.settlement_id"
        ).format(
            numbers=self.value([number for number, _ in pairs], "integer[]"),
            ids=self.value([settlement_id for _, settlement_id in pairs], "uuid[]"),
        )

    def _between(self, anchor: Sql) -> Sql:
        wanted = [each for each in self._sets if isinstance(each, Between)]
        return sql.SQL(
            "unnest({numbers}, {companies}, {starts}, {ends}) AS sets (set_no, company_id, start_at, end_at) "
            "ON c.company_id = sets.company_id AND {anchor} >= sets.start_at AND {anchor} < sets.end_at"
        ).format(
            numbers=self.value(list(range(len(wanted))), "integer[]"),
            companies=self.value([each.company_id for each in wanted], "uuid[]"),
            starts=self.value([each.start for each in wanted], "timestamptz[]"),
            ends=self.value([each.end for each in wanted], "timestamptz[]"),
            anchor=anchor,
        )

    def _early(self, rules: Billable) -> Sql:
        """Steps 1 and 2: disposition, test numbers."""
        tests = self.value(list(rules.test_numbers), "text[]")
        return sql.SQL(
            "CASE WHEN disposition <> ALL ({dispositions}) THEN 'disposition' "
            "WHEN from_number = ANY ({tests}) OR to_number = ANY ({tests}) THEN 'test_number' END"
        ).format(dispositions=self.value(list(rules.dispositions), "text[]"), tests=tests)

    def _flag(self, rules: Billable) -> Sql:
        """The reason that step 3 would give: the first excluded flag in the contract's order."""
        if not rules.exclude_flags:
            return _NOTHING
        whens = [
            sql.SQL("WHEN {flag} = ANY (flags::text[]) THEN {reason}").format(
                flag=self.value(flag, "text"), reason=self.value(f"flag_{flag}", "text")
            )
            for flag in rules.exclude_flags
        ]
        return sql.SQL("CASE {} END").format(_SPACE.join(whens))

    def _flag_counts(self, rules: Billable) -> Sql:
        """Step 3: a flag excludes, with a cap only the first floor(received x percent / 100) of them."""
        if rules.exclude_cap_percent is None:
            return sql.SQL("flag IS NOT NULL")
        return sql.SQL(
            "flag IS NOT NULL AND row_number() OVER ("
            "PARTITION BY set_no, early IS NULL AND flag IS NOT NULL ORDER BY anchor, ident"
            ") <= div(count(*) OVER (PARTITION BY set_no) * {percent}, 100)"
        ).format(percent=self.value(rules.exclude_cap_percent, "numeric"))

    def _free(self, rules: Billable) -> Sql:
        """Step 6: the first so many short calls of what is left are free, all else is billable."""
        short = rules.free_short_calls
        if short is None:
            return sql.SQL("'billable'")
        return sql.SQL(
            "CASE WHEN talk_ms < {under} AND row_number() OVER ("
            "PARTITION BY set_no, not_billed IS NULL AND talk_ms < {under} ORDER BY anchor, ident"
            ") <= {most} THEN 'free_short_call' ELSE 'billable' END"
        ).format(
            under=self.value(short.under_seconds * 1000, "bigint"),
            most=self.value(short.per_period, "bigint"),
        )

    def _charge_no(self) -> Sql:
        """Step 5, `charge_for`: the longest fitting prefix wins, then the order of the contract."""
        tried = [
            (-len(prefix or ""), number, prefix, charge)
            for number, charge in enumerate(self._terms.usage)
            for prefix in (charge.scope.prefix or (None,))
        ]
        if not tried:
            return _NO_CHARGE
        whens = [
            sql.SQL("WHEN {fits} THEN {number}").format(
                fits=self._fits(charge.scope, prefix), number=self.value(number, "integer")
            )
            for _, number, prefix, charge in sorted(tried, key=lambda each: each[:2])
        ]
        return sql.SQL("CASE {} END").format(_SPACE.join(whens))

    def _fits(self, scope: Scope, prefix: str | None) -> Sql:
        """`scope_fits`, with one of the scope's prefixes. An unknown value is null and so never fits."""
        conditions: list[Sql] = [
            sql.SQL("{} = ANY ({})").format(sql.Identifier(name), self.value(list(allowed), "text[]"))
            for name in ("direction", "service", "queue", "number")
            if (allowed := getattr(scope, name))
        ]
        if prefix is not None:
            conditions.append(sql.SQL("starts_with(to_number, {})").format(self.value(prefix, "text")))
        if scope.weekdays:
            days = [WEEKDAYS.index(day) + 1 for day in scope.weekdays]
            conditions.append(
                sql.SQL("EXTRACT(ISODOW FROM wall) = ANY ({})").format(self.value(days, "integer[]"))
            )
        if scope.holidays is not None:
            days_off = self.value(sorted(self._calendars[scope.holidays]), "date[]")
            conditions.append(sql.SQL("wall::date <> ALL ({})").format(days_off))
        conditions += self._hours(scope)
        return _AND.join(conditions) if conditions else sql.SQL("TRUE")

    def _hours(self, scope: Scope) -> list[Sql]:
        """[from, until) on the wall; over midnight when from is later; never when they are equal."""
        begin, end = scope.from_time, scope.until_time
        since = sql.SQL("wall::time >= {}").format(self.value(begin, "time")) if begin is not None else None
        before = sql.SQL("wall::time < {}").format(self.value(end, "time")) if end is not None else None
        if begin is not None and end is not None and begin > end:
            return [sql.SQL("({})").format(_OR.join(part for part in (since, before) if part is not None))]
        return [part for part in (since, before) if part is not None]

    def _seconds(self) -> Sql:
        """The billed seconds of the charge that takes the call."""
        if not self._terms.usage:
            return sql.SQL("0")
        whens = [
            sql.SQL("WHEN {} THEN {}").format(self.value(number, "integer"), self._billed(charge))
            for number, charge in enumerate(self._terms.usage)
        ]
        return sql.SQL("CASE charge_no {} END").format(_SPACE.join(whens))

    def _billed(self, charge: UsageCharge) -> Sql:
        """`billed_seconds`: 0 if d = 0; I if d <= I; else I + ceil((d - I) / N) * N, in whole ms (M13)."""
        increments: Increments = charge.increments
        return sql.SQL(
            "CASE WHEN {ms} = 0 THEN 0 WHEN {ms} <= {first_ms} THEN {first} "
            "ELSE {first} + (({ms} - {first_ms} + {step_ms} - 1) / {step_ms}) * {step} END"
        ).format(
            ms=sql.Identifier("handle_ms" if charge.basis == "handle" else "talk_ms"),
            first=self.value(increments.initial, "bigint"),
            first_ms=self.value(increments.initial * 1000, "bigint"),
            step=self.value(increments.increment, "bigint"),
            step_ms=self.value(increments.increment * 1000, "bigint"),
        )


_COUNT = sql.SQL(
    "SELECT set_no, reason, charge_no, count(*), sum(seconds)::bigint, "
    "NULL::bigint AS each_seconds, NULL::bigint AS place FROM verdicts GROUP BY 1, 2, 3"
)

_EACH_LENGTH_ONCE = """
UNION ALL
SELECT set_no, reason, charge_no, count(*), NULL, seconds, seconds
FROM verdicts WHERE charge_no = ANY ({}) GROUP BY set_no, reason, charge_no, seconds"""

# Of equal neighbours in a row, the place in the row less the place among their equals is the same.
_IN_ORDER = """
UNION ALL
SELECT set_no, reason, charge_no, count(*), NULL, seconds, min(place)
FROM (
    SELECT verdicts.*,
           row_number() OVER (PARTITION BY set_no, charge_no ORDER BY anchor, ident) AS place,
           row_number() OVER (PARTITION BY set_no, charge_no, seconds ORDER BY anchor, ident) AS among_equals
    FROM verdicts WHERE charge_no = ANY ({})
) AS placed GROUP BY set_no, reason, charge_no, seconds, place - among_equals"""


def count(
    sets: Mapping[K, Settled] | Mapping[K, Between], terms: Terms, calendars: Calendars = NO_CALENDARS
) -> dict[K, Count]:
    """What is counted of each set under the terms, in one query; a set without calls has zeros."""
    if not sets:
        return {}
    rows: dict[int, list[tuple[Any, ...]]] = {}
    wanted: list[Settled | Between] = [*sets.values()]
    query = Query(terms, wanted, calendars)
    for set_no, *figures in query.fetch(_figures(query, terms)):
        rows.setdefault(set_no, []).append(tuple(figures))
    return {key: _fold(rows.get(number, []), terms) for number, key in enumerate(sets)}


def _figures(query: Query, terms: Terms) -> Sql:
    """Counts by reason and charge, and for charges that round each call the runs of equal durations."""
    runs = [number for number, charge in enumerate(terms.usage) if needs_durations(charge)]
    in_order = [number for number in runs if needs_order(terms.usage[number])]
    once = [number for number in runs if number not in in_order]
    statement: Sql = _COUNT
    for numbers, durations in ((once, _EACH_LENGTH_ONCE), (in_order, _IN_ORDER)):
        if numbers:
            statement += sql.SQL(durations).format(query.value(numbers, "integer[]"))
    return statement + sql.SQL(" ORDER BY place") if runs else statement


def _fold(rows: Sequence[tuple[Any, ...]], terms: Terms) -> Count:
    """(reason, charge number, calls, seconds, seconds of each, place) of one set as `tally` puts it."""
    counted = [row for row in rows if row[3] is not None]
    reasons = {reason: calls for reason, _, calls, *_ in counted if reason != "billable"}
    order = [*(reason for reason in REASONS if reason in reasons), *sorted(set(reasons) - set(REASONS))]
    billed = {
        number: (calls, seconds) for reason, number, calls, seconds, *_ in counted if reason == "billable"
    }
    durations: dict[int, list[tuple[int, int]]] = {}
    for _, number, calls, seconds, of_each, _ in rows:
        if seconds is None:
            durations.setdefault(number, []).append((of_each, calls))
    return Count(
        received=sum(row[2] for row in counted),
        billable=sum(calls for calls, _ in billed.values()),
        not_billable={reason: reasons[reason] for reason in order},
        charges=tuple(
            ChargeCount(charge.id, *billed.get(number, (0, 0)), tuple(durations.get(number, ())))
            for number, charge in enumerate(terms.usage)
        ),
    )
