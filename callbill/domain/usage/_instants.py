"""From the wall times of a row to instants: the clock's missing and repeated hours, and midnight (M6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import product

from callbill.domain.usage._formats import Unreadable, read_date, read_time, reader_of
from callbill.domain.usage._profile import Instant
from callbill.rules.period import time_zone

_DAY = timedelta(days=1)


class RowRefused(Exception):
    """The row cannot be used: a short code for grouping, and the reason in plain words."""

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


Read = Callable[[Sequence[str]], "datetime | None"]


def moment_reader(instant: Instant, name: str, columns: Sequence[str]) -> Read:
    """A function from a row's values to its moment: naive wall time or aware; None where it is empty."""
    if instant.column:
        return _one_column(instant, name, columns.index(instant.column))
    return _two_columns(instant, name, columns.index(instant.date_column), columns.index(instant.time_column))


def _one_column(instant: Instant, name: str, at: int) -> Read:
    parse, empty, column = reader_of(instant.format), instant.empty, instant.column

    def read(values: Sequence[str]) -> datetime | None:
        text = values[at].strip()
        if text in empty:
            return None
        try:
            return parse(text)
        except Unreadable as error:
            raise RowRefused("unreadable_time", f'{name}: "{text[:60]}" in {column} {error}') from None

    return read


def _two_columns(instant: Instant, name: str, date_at: int, time_at: int) -> Read:
    empty = instant.empty

    def read(values: Sequence[str]) -> datetime | None:
        day, hour = values[date_at].strip(), values[time_at].strip()
        if hour in empty:
            return None
        column, text = instant.date_column, day
        try:
            read_day = read_date(day, instant.date_format)
            column, text = instant.time_column, hour
            return datetime.combine(read_day, read_time(hour, instant.time_format))
        except Unreadable as error:
            raise RowRefused("unreadable_time", f'{name}: "{text[:60]}" in {column} {error}') from None

    return read


@dataclass(frozen=True, slots=True)
class Times:
    """When a call started, was answered and ended, in UTC."""

    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Lengths:
    """What a row itself says of its lengths: the whole call, the talk, the waiting."""

    total_ms: int | None
    talk_ms: int | None
    queue_ms: int | None


class WallClock:
    """The clock on the wall of an IANA zone; without a zone only moments with an offset are understood."""

    def __init__(self, zone: str | None) -> None:
        self.zone = zone
        self._offset_of_day = lru_cache(maxsize=4096)(self._find_offset)

    def instants(self, moment: datetime, name: str) -> tuple[datetime, ...]:
        """The instants at which the clock showed this: one, or two when the hour came twice.

        Raises RowRefused for a time that the clock skipped, and for one without offset and zone.
        """
        try:
            if moment.tzinfo is not None:
                return (moment.astimezone(UTC),)
            if self.zone is None:
                raise RowRefused("no_offset", f"{name}: {moment} has no offset, and the profile no time_zone")
            offset = self._offset_of_day(moment.date())
            if offset is not None:
                return ((moment - offset).replace(tzinfo=UTC),)
            local = moment.replace(tzinfo=time_zone(self.zone))
            both = sorted({local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)})
        except OverflowError:
            raise RowRefused("unreadable_time", f"{name}: {moment} is outside the years 1 to 9999") from None
        shown = tuple(at for at in both if at.astimezone(local.tzinfo).replace(tzinfo=None) == moment)
        if not shown:
            raise RowRefused(
                "time_skipped",
                f"{name}: {moment} did not exist in {self.zone}; the clocks were put forward over it",
            )
        return shown

    def _find_offset(self, day: date) -> timedelta | None:
        """The zone's offset if it is the same all day long, else None."""
        assert self.zone is not None
        zone = time_zone(self.zone)
        hours = [datetime.combine(day, time(hour), zone) for hour in range(24)]
        hours.append(datetime.combine(day, time.max, zone))
        offsets = {hour.replace(fold=fold).utcoffset() for hour in hours for fold in (0, 1)}
        return offsets.pop() if len(offsets) == 1 else None


def settle_times(
    clock: WallClock,
    *,
    start: datetime,
    answer: datetime | None,
    end: datetime | None,
    lengths: Lengths,
    past_midnight: tuple[bool, bool],
    tolerance: timedelta,
) -> Times:
    """The one reading of a row's moments in which they are in order.

    `past_midnight` says of the answer and of the end whether a time of day before the start's means the
    next day. Where the clock showed an hour twice, the row's lengths decide. Raises
    RowRefused when nothing is in order or more than one reading is.
    """
    starts = clock.instants(start, "started_at")
    answers = clock.instants(answer, "answered_at") if answer is not None else (None,)
    if end is not None:
        ends = clock.instants(end, "ended_at")
    else:
        ends = tuple(at + timedelta(milliseconds=lengths.total_ms or 0) for at in starts)
    if len(starts) == len(answers) == len(ends) == 1 and _in_order(starts[0], answers[0], ends[0]):
        return Times(starts[0], answers[0], ends[0])
    found = _readings(starts, answers, ends, start=start, end=end)
    if not found:
        answer, end = _shifted(start, answer, past_midnight[0]), _shifted(start, end, past_midnight[1])
        answers = clock.instants(answer, "answered_at") if answer is not None else (None,)
        ends = clock.instants(end, "ended_at") if end is not None else ends
        found = _readings(starts, answers, ends, start=start, end=end)
    if not found:
        raise _out_of_order(starts[0], answers[-1], ends[-1], start=start, answer=answer, end=end)
    if len(found) > 1:
        found = [times for times in found if _length_fits(times, lengths, tolerance)]
    if len(found) != 1:
        twice = start if len(starts) > 1 else answer if len(answers) > 1 else end
        raise RowRefused(
            "time_twice",
            f"{twice} came twice in {clock.zone} when the clocks went back; nothing in the row tells which",
        )
    return found[0]


def _in_order(start: datetime, answer: datetime | None, end: datetime) -> bool:
    return start <= end and (answer is None or start <= answer <= end)


def _readings(
    starts: Sequence[datetime],
    answers: Sequence[datetime | None],
    ends: Sequence[datetime],
    *,
    start: datetime,
    end: datetime | None,
) -> list[Times]:
    """Every combination that is in order; an end worked out from the start goes with its own start."""
    pairs = zip(starts, ends, strict=True) if end is None else product(starts, ends)
    return [Times(s, a, e) for s, e in pairs for a in answers if _in_order(s, a, e)]


def _shifted(start: datetime, moment: datetime | None, allowed: bool) -> datetime | None:
    if moment is None or not allowed or moment.tzinfo is not None or start.tzinfo is not None:
        return moment
    same_day_and_earlier = moment.date() == start.date() and moment < start
    return moment + _DAY if same_day_and_earlier else moment


def _length_fits(times: Times, lengths: Lengths, tolerance: timedelta) -> bool:
    """Whether the row's own lengths agree with this reading; False when it gives none to compare."""
    since = times.answered_at or times.started_at
    compared = []
    if lengths.total_ms is not None:
        compared.append((times.ended_at - times.started_at, lengths.total_ms))
    if lengths.talk_ms:
        compared.append((times.ended_at - since, lengths.talk_ms))
    if lengths.queue_ms is not None and times.answered_at is not None:
        compared.append((since - times.started_at, lengths.queue_ms))
    return bool(compared) and all(
        abs(span - timedelta(milliseconds=length)) <= tolerance for span, length in compared
    )


def _out_of_order(
    started: datetime,
    answered: datetime | None,
    ended: datetime,
    *,
    start: datetime,
    answer: datetime | None,
    end: datetime | None,
) -> RowRefused:
    if ended < started:
        hint = ""
        if end is not None and end.date() == start.date():
            hint = '; if calls run past midnight, put past_midnight = "next_day" in [ended_at]'
        return RowRefused("ends_before_start", f"the call ends ({end}) before it starts ({start}){hint}")
    side = "before the call starts" if answered is not None and answered < started else "after the call ends"
    moment = start if side.endswith("starts") else end or ended
    return RowRefused("answered_outside", f"the call is answered ({answer}) {side} ({moment})")
