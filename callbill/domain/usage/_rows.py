"""From a row of a file to a canonical call, or to the reason why not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from callbill.domain.usage._instants import Lengths, RowRefused, WallClock, moment_reader, settle_times
from callbill.domain.usage._numbers import e164, withheld
from callbill.domain.usage._profile import (
    DIRECTIONS,
    DISPOSITIONS,
    CompanyRule,
    DispositionRule,
    Duration,
    FlagRule,
    Profile,
    Text,
)

_DECIMAL = re.compile(r"(-?)([0-9]{1,10})(?:\.([0-9]+))?")
Values = Sequence[str]


@dataclass(frozen=True, slots=True)
class CanonicalCall:
    """A call as the contract file's "canonical call" describes it; instants in UTC, lengths in ms."""

    company_id: UUID
    source_call_id: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    talk_ms: int
    wrap_ms: int | None
    hold_ms: int | None
    queue_ms: int | None
    direction: str
    disposition: str
    service: str | None
    queue: str | None
    number: str | None
    from_number: str | None
    to_number: str | None
    flags: tuple[str, ...]
    updated_at: datetime | None

    @property
    def key(self) -> tuple[UUID, str]:
        """What makes it the same call within its source (M11)."""
        return self.company_id, self.source_call_id


class RowReader:
    """Reads the rows of one file under one profile.

    `columns` are the file's; every column that the profile names must be among them.
    `companies` are the ids of all companies by key.
    """

    def __init__(
        self, profile: Profile, columns: Sequence[str], companies: Mapping[str, UUID], *, now: datetime
    ) -> None:
        self.profile = profile
        self.columns = tuple(columns)
        self._clock = WallClock(profile.time_zone)
        self._tolerance = timedelta(seconds=profile.checks.talk_tolerance_seconds)
        self._longest = timedelta(hours=profile.checks.longest_hours)
        self._latest = now + timedelta(minutes=profile.checks.future_minutes)
        self._id_at = [self.columns.index(column) for column in profile.id_columns]
        self._moments = {
            name: moment_reader(part, name, self.columns)
            for name in ("started_at", "answered_at", "ended_at", "updated_at")
            if (part := getattr(profile, name)) is not None
        }
        self._durations = {
            name: self._duration(getattr(profile, name), name)
            for name in ("duration", "talk_ms", "wrap_ms", "hold_ms", "queue_ms")
        }
        self._company = self._company_reader(profile.company, companies)
        self._direction = self._word_reader(profile.direction, "direction", DIRECTIONS)
        self._disposition = self._disposition_reader(profile.disposition)
        self._service = self._text_reader(profile.service, "service")
        self._queue = self._text_reader(profile.queue, "queue")
        self._numbers = {
            name: self._number_reader(getattr(profile, name), name)
            for name in ("number", "from_number", "to_number")
        }
        self._flags = [self._flag_reader(rule) for rule in profile.flags]
        self._past_midnight = (
            bool(profile.answered_at and profile.answered_at.past_midnight),
            bool(profile.ended_at and profile.ended_at.past_midnight),
        )

    def call(self, values: Values) -> CanonicalCall:
        """The call that a row says. Raises RowRefused with the first thing that is wrong with it."""
        try:
            return self._call(values)
        except OverflowError:
            raise RowRefused("unreadable_time", "the row's times lie outside the years 1 to 9999") from None

    def _call(self, values: Values) -> CanonicalCall:
        if len(values) != len(self.columns):
            raise RowRefused(
                "columns", f"the row has {len(values)} values where the file has {len(self.columns)} columns"
            )
        source_call_id = self._id(values)
        company_id = self._company(values)
        total = self._durations["duration"](values)
        talk, waited = self._durations["talk_ms"](values), self._durations["queue_ms"](values)
        start, answer, end = (
            self._moment(name, values) for name in ("started_at", "answered_at", "ended_at")
        )
        if start is None:
            raise RowRefused("no_time", "started_at is empty")
        if end is None and total is None:
            raise RowRefused(
                "no_time", "ended_at is empty" if "ended_at" in self._moments else "duration is empty"
            )
        times = settle_times(
            self._clock,
            start=start,
            answer=answer,
            end=end,
            lengths=Lengths(total, talk, waited),
            past_midnight=self._past_midnight,
            tolerance=self._tolerance,
        )
        since = times.answered_at or times.started_at
        if self.profile.talk_ms.answered_to_ended:
            talk = 0 if times.answered_at is None else (times.ended_at - since) // timedelta(milliseconds=1)
        if talk is None:
            if times.answered_at is not None:
                raise RowRefused("bad_duration", "talk_ms is empty although the call was answered")
            talk = 0
        self._check(times.started_at, since, times.ended_at, talk)
        return CanonicalCall(
            company_id=company_id,
            source_call_id=source_call_id,
            started_at=times.started_at,
            answered_at=times.answered_at,
            ended_at=times.ended_at,
            talk_ms=talk,
            wrap_ms=self._durations["wrap_ms"](values),
            hold_ms=self._durations["hold_ms"](values),
            queue_ms=waited,
            direction=self._direction(values),
            disposition=self._disposition(values, talk, times.answered_at),
            service=self._service(values),
            queue=self._queue(values),
            number=self._numbers["number"](values),
            from_number=self._numbers["from_number"](values),
            to_number=self._numbers["to_number"](values),
            flags=tuple(sorted({flag for read in self._flags for flag in read(values)})),
            updated_at=self._updated(values),
        )

    def _id(self, values: Values) -> str:
        parts = [values[at].strip() for at in self._id_at]
        if not all(parts):
            raise RowRefused("no_id", f"{' and '.join(self.profile.id_columns)}: the call's id is empty")
        joined = self.profile.id_separator.join(parts)
        if len(joined) > 255:
            raise RowRefused("long_id", f"the call's id has {len(joined)} characters; 255 are the most")
        return joined

    def _moment(self, name: str, values: Values) -> datetime | None:
        read = self._moments.get(name)
        return read(values) if read else None

    def _updated(self, values: Values) -> datetime | None:
        moment = self._moment("updated_at", values)
        if moment is None:
            return None
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        return self._clock.instants(moment, "updated_at")[-1]  # only orders revisions; an hour matters little

    def _check(self, started: datetime, since: datetime, ended: datetime, talk_ms: int) -> None:
        length = ended - started
        if length > self._longest:
            hours = self.profile.checks.longest_hours
            raise RowRefused("too_long", f"the call lasts {length}, longer than {hours} hours")
        if timedelta(milliseconds=talk_ms) > ended - since + self._tolerance:
            raise RowRefused(
                "talk_too_long",
                f"the talk time, {timedelta(milliseconds=talk_ms)}, is longer than the call, {ended - since}",
            )
        if ended > self._latest:
            raise RowRefused("in_future", f"the call ends at {ended:%Y-%m-%d %H:%M:%S} UTC, which is to come")

    def _duration(self, duration: Duration | None, name: str) -> Callable[[Values], int | None]:
        if duration is None or duration.answered_to_ended:
            return lambda values: None
        if duration.constant_ms is not None:
            constant = duration.constant_ms
            return lambda values: constant
        at, unit, column = self.columns.index(duration.column), duration.unit, duration.column
        factor = 1 if unit == "ms" else 1000

        def read(values: Values) -> int | None:
            text = values[at].strip()
            if text.isdecimal() and text.isascii() and len(text) <= 10:
                return int(text) * factor
            return _length(text, unit, f'{name}: "{text[:60]}" in {column}')

        return read

    def _company_reader(self, rule: CompanyRule, companies: Mapping[str, UUID]) -> Callable[[Values], UUID]:
        if rule.constant is not None:
            constant = companies[rule.constant]
            return lambda values: constant
        at, column = self.columns.index(rule.column), rule.column
        if rule.numbers is not None:
            known = {number: companies[key] for number, key in rule.numbers.items()}
        else:
            keys = rule.values if rule.values is not None else {key: key for key in companies}
            known = {value: companies[key] for value, key in keys.items()}

        def read(values: Values) -> UUID:
            text = values[at].strip()
            wanted = e164(text, self.profile.country_code) if rule.numbers is not None else text
            found = known.get(wanted) if wanted is not None else None
            if found is None:
                raise RowRefused("unknown_company", f'no company belongs to "{text[:60]}" in {column}')
            return found

        return read

    def _text_reader(self, text: Text | None, name: str, most: int = 60) -> Callable[[Values], str | None]:
        if text is None:
            return lambda values: None
        if text.constant is not None:
            constant = text.constant
            return lambda values: constant
        at, column, known = self.columns.index(text.column), text.column, text.values

        def read(values: Values) -> str | None:
            value = values[at].strip()
            if known is not None and value in known:
                value = known[value]
            elif known is not None and value:
                raise RowRefused(
                    "unknown_value", f'{name}: the profile has no word for "{value[:60]}" in {column}'
                )
            if len(value) > most:
                raise RowRefused(
                    "long_value", f"{name}: {column} has {len(value)} characters; {most} are the most"
                )
            return value or None

        return read

    def _word_reader(self, text: Text, name: str, allowed: Sequence[str]) -> Callable[[Values], str]:
        if text.constant is not None:
            constant = text.constant
            return lambda values: constant
        at, known = self.columns.index(text.column), text.values

        def read(values: Values) -> str:
            value = values[at].strip()
            word = (
                known.get(value) if known is not None else value.lower().replace(" ", "_").replace("-", "_")
            )
            if word not in allowed or word is None:
                raise RowRefused(
                    f"unknown_{name}", f'{name}: the profile has no word for "{value[:60]}" in {text.column}'
                )
            return word

        return read

    def _disposition_reader(self, rule: DispositionRule) -> Callable[[Values, int, datetime | None], str]:
        if rule.text is not None:
            read = self._word_reader(rule.text, "disposition", DISPOSITIONS)
            return lambda values, talk, answered: read(values)
        by_talk, by_answer = rule.rule != "answered_at", rule.rule != "talk"

        def decide(values: Values, talk: int, answered: datetime | None) -> str:
            if (by_talk and talk > 0) or (by_answer and answered is not None):
                return "answered"
            return rule.otherwise

        return decide

    def _number_reader(self, text: Text | None, name: str) -> Callable[[Values], str | None]:
        read, country_code = self._text_reader(text, name, most=200), self.profile.country_code

        def number(values: Values) -> str | None:
            value = read(values)
            if value is None or withheld(value):
                return None
            normal = e164(value, country_code) or value
            if len(normal) > 20:
                raise RowRefused("long_value", f'{name}: "{value[:60]}" is too long for a number')
            return normal

        return number

    def _flag_reader(self, rule: FlagRule) -> Callable[[Values], list[str]]:
        at = self.columns.index(rule.column)
        if rule.flag:
            return lambda values: [rule.flag] if values[at].strip() in rule.when else []
        known = rule.values or {}
        return lambda values: [
            known[word.strip()] for word in values[at].split(rule.separator) if word.strip() in known
        ]


def _length(text: str, unit: str, what: str) -> int | None:
    """A length of time that is not plain digits: None when empty, exact with decimals, else refused."""
    if not text:
        return None
    match = _DECIMAL.fullmatch(text)
    if match is None:
        digits = text.lstrip("-+").replace(".", "", 1)
        wrong = (
            "is too large for a length of time"
            if digits.isascii() and digits.isdigit()
            else "is not a number"
        )
        raise RowRefused("bad_duration", f"{what} {wrong}")
    sign, whole, decimals = match.groups()
    if sign and (int(whole) or int(decimals or 0)):
        raise RowRefused("bad_duration", f"{what} is negative")
    thousandths = (decimals or "").rstrip("0")
    if thousandths and unit != "decimal_s":
        words = "milliseconds" if unit == "ms" else 'seconds; unit = "decimal_s" reads decimals'
        raise RowRefused("bad_duration", f"{what} is not a whole number of {words}")
    if len(thousandths) > 3:
        raise RowRefused("bad_duration", f"{what} is finer than a millisecond")
    return int(whole) * (1 if unit == "ms" else 1000) + int(thousandths.ljust(3, "0") or 0)
