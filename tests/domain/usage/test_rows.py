"""What a row becomes: a call, or set aside with a reason that says what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callbill.domain.customers.models import Company
from callbill.domain.usage.models import Call, SetAsideRow
from tests.domain.usage import files
from tests.domain.usage.files import row, take_in, text_of

pytestmark = pytest.mark.usefixtures("companies")


def only(profile: str = files.SWITCH, **changes: str) -> Call | SetAsideRow:
    """What becomes of one good row with columns changed."""
    report = take_in(text_of([row(**changes)]), profile)
    assert report.rows == 1
    return Call.objects.get() if report.accepted else SetAsideRow.objects.get()


def test_a_good_row_is_a_call() -> None:
    call = only()
    assert isinstance(call, Call)
    assert call.started_at == datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
    assert call.answered_at == datetime(2026, 3, 2, 15, 0, 5, tzinfo=UTC)
    assert call.ended_at == datetime(2026, 3, 2, 15, 1, 5, tzinfo=UTC)
    assert (call.company.key, call.source, call.source_call_id) == ("acme", "switch", "c1")
    assert (call.talk_ms, call.direction, call.disposition) == (60_000, "inbound", "answered")
    assert (call.import_line, call.revision) == (2, 1)


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"started": "2026-02-31 10:00:00"}, "unreadable_time", '"2026-02-31 10:00:00" in started is a day'),
        ({"started": "02/03/2026 10:00"}, "unreadable_time", "does not look like"),
        ({"started": "2026-03-02 25:00:00"}, "unreadable_time", "time of day that does not exist"),
        ({"started": ""}, "no_time", "started_at is empty"),
        ({"ended": ""}, "no_time", "ended_at is empty"),
        (
            {"ended": "2026-03-02 09:59:59"},
            "ends_before_start",
            "ends (2026-03-02 09:59:59) before it starts",
        ),
        ({"answered": "2026-03-02 09:59:59"}, "answered_outside", "before the call starts"),
        ({"answered": "2026-03-02 10:02:00"}, "answered_outside", "after the call ends"),
        ({"talk": "-1"}, "bad_duration", '"-1" in talk is negative'),
        ({"talk": "1.5"}, "bad_duration", "not a whole number of seconds"),
        ({"talk": "1e3"}, "bad_duration", "is not a number"),
        ({"talk": "٣"}, "bad_duration", "is not a number"),
        ({"talk": ""}, "bad_duration", "empty although the call was answered"),
        ({"talk": "99999999999999999999"}, "bad_duration", "is too large for a length of time"),
        ({"talk": "9999999999"}, "talk_too_long", "longer than the call"),
        ({"talk": "121"}, "talk_too_long", "0:02:01, is longer than the call, 0:01:00"),
        ({"ended": "2026-03-03 10:00:01"}, "too_long", "longer than 24 hours"),
        (
            {"started": "2026-12-31 07:04:00", "answered": "", "ended": "2026-12-31 07:05:01"},
            "in_future",
            "to come",
        ),
        ({"company": "acne"}, "unknown_company", 'no company belongs to "acne" in company'),
        ({"direction": "sideways"}, "unknown_direction", '"sideways" in direction'),
        ({"disposition": "gone"}, "unknown_disposition", '"gone" in disposition'),
        ({"id": " "}, "no_id", "id is empty"),
        ({"id": "x" * 256}, "long_id", "256 characters; 255 are the most"),
        (
            {"started": "2026-03-08 02:30:00", "answered": "", "ended": "2026-03-08 03:30:00"},
            "time_skipped",
            "did not",
        ),
        (
            {
                "started": "2026-11-01 01:10:00",
                "answered": "2026-11-01 01:10:05",
                "ended": "2026-11-01 01:11:05",
            },
            "time_twice",
            "2026-11-01 01:10:00 came twice in America/New_York",
        ),
        ({"started": "0001-01-01 00:00:00"}, "too_long", "longer than 24 hours"),
        ({"ended": "9999-12-31 23:59:59"}, "unreadable_time", "outside the years 1 to 9999"),
    ],
)
def test_a_row_that_cannot_be_right_is_set_aside(changes: dict[str, str], code: str, says: str) -> None:
    kept = only(**changes)
    assert isinstance(kept, SetAsideRow)
    assert kept.code == code
    assert says in kept.reason
    assert kept.line == 2
    assert dict(zip(kept.row["columns"], kept.row["values"], strict=True)) == dict(
        zip(files.COLUMNS, row(**changes), strict=True)
    )


@pytest.mark.parametrize(
    ("changes", "started", "minutes"),
    [
        # Only one reading of the repeated hour is in order, or fits the talk time.
        (
            {
                "started": "2026-11-01 01:50:00",
                "answered": "2026-11-01 01:55:00",
                "ended": "2026-11-01 01:10:00",
                "talk": "900",
            },
            datetime(2026, 11, 1, 5, 50, tzinfo=UTC),
            20,
        ),
        (
            {
                "started": "2026-11-01 01:50:00",
                "answered": "2026-11-01 01:50:00",
                "ended": "2026-11-01 02:05:00",
                "talk": "900",
            },
            datetime(2026, 11, 1, 6, 50, tzinfo=UTC),
            15,
        ),
        (
            {
                "started": "2026-11-01 00:55:00",
                "answered": "2026-11-01 00:55:00",
                "ended": "2026-11-01 01:05:00",
                "talk": "4200",
            },
            datetime(2026, 11, 1, 4, 55, tzinfo=UTC),
            70,
        ),
        # Over the missing hour a call is an hour shorter than the wall says.
        (
            {"started": "2026-03-08 01:50:00", "answered": "", "ended": "2026-03-08 03:10:00", "talk": "0"},
            datetime(2026, 3, 8, 6, 50, tzinfo=UTC),
            20,
        ),
    ],
)
def test_a_change_of_the_clocks_is_read_right(
    changes: dict[str, str], started: datetime, minutes: int
) -> None:
    call = only(files.SWITCH + '[queue_ms]\nconstant = 5\nunit = "s"\n', **changes)
    assert isinstance(call, Call), call
    assert (call.started_at, call.ended_at - call.started_at) == (started, timedelta(minutes=minutes))


SPLIT = files.SWITCH
for _name in ("started", "answered", "ended"):
    SPLIT = SPLIT.replace(
        f'column = "{_name}"\nformat = "%Y-%m-%d %H:%M:%S"',
        'date_column = "direction"\ndate_format = "%d/%m/%Y"\n'
        f'time_column = "{_name}"\ntime_format = "%I:%M:%S %p"',
    )
SPLIT = SPLIT.replace('[direction]\ncolumn = "direction"', '[direction]\nconstant = "inbound"')
NIGHT = {
    "direction": "31/01/2026",
    "started": "11:59:30 PM",
    "answered": "11:59:40 PM",
    "ended": "12:00:40 AM",
}


def test_a_call_past_midnight_is_set_aside_unless_the_profile_says_the_next_day() -> None:
    kept = only(SPLIT, **NIGHT)
    assert isinstance(kept, SetAsideRow)
    assert kept.code == "ends_before_start"
    assert 'past_midnight = "next_day"' in kept.reason
    mended = SPLIT.replace("[ended_at]", '[ended_at]\npast_midnight = "next_day"')
    assert take_in(text_of([row(**NIGHT)]), mended).accepted == 1
    call = Call.objects.get()
    assert call.started_at == datetime(2026, 2, 1, 4, 59, 30, tzinfo=UTC)
    assert call.ended_at - call.started_at == timedelta(seconds=70)
    assert not SetAsideRow.objects.filter(resolved_at=None).exists()


def test_noon_and_midnight_of_the_twelve_hour_clock() -> None:
    times = {"started": "12:00:00 AM", "answered": "12:00:00 am", "ended": "12:00:00 PM", "talk": "43200"}
    call = only(SPLIT, **{**NIGHT, **times})
    assert isinstance(call, Call)
    assert call.ended_at - call.started_at == timedelta(hours=12)
    assert call.started_at == datetime(2026, 1, 31, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "cell", "expected"),
    [
        ('unit = "s"', 'unit = "ms"', "60500", 60_500),
        ('unit = "s"', 'unit = "decimal_s"', "60.25", 60_250),
        ('unit = "s"', 'unit = "decimal_s"', "60", 60_000),
        ('column = "talk"\nunit = "s"', 'between = "answered_and_ended"', "", 60_000),
        ('column = "talk"', "constant = 30", "", 30_000),
    ],
)
def test_lengths_in_every_unit(old: str, new: str, cell: str, expected: int) -> None:
    call = only(files.SWITCH.replace(old, new, 1), talk=cell)
    assert isinstance(call, Call), call
    assert call.talk_ms == expected


@pytest.mark.parametrize(
    ("layout", "cell", "expected"),
    [
        ("iso", "2026-03-02T10:00:00-05:00", datetime(2026, 3, 2, 15, tzinfo=UTC)),
        ("iso", "2026-03-02T15:00:00Z", datetime(2026, 3, 2, 15, tzinfo=UTC)),
        ("iso", "2026-03-02 10:00:00.250", datetime(2026, 3, 2, 15, 0, 0, 250_000, tzinfo=UTC)),
        ("epoch_s", "1772463600", datetime(2026, 3, 2, 15, tzinfo=UTC)),
        ("epoch_ms", "1772463600001", datetime(2026, 3, 2, 15, 0, 0, 1000, tzinfo=UTC)),
        ("epoch_us", "1772463600000001", datetime(2026, 3, 2, 15, 0, 0, 1, tzinfo=UTC)),
        ("%d-%b-%Y %H:%M:%S %z", "02-Mar-2026 10:00:00 -0500", datetime(2026, 3, 2, 15, tzinfo=UTC)),
        ("%Y%m%d%H%M%S.%f", "20260302100000.5", datetime(2026, 3, 2, 15, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_moments_in_every_format(layout: str, cell: str, expected: datetime) -> None:
    profile = files.SWITCH.replace(
        '"started"\nformat = "%Y-%m-%d %H:%M:%S"', f'"started"\nformat = "{layout}"'
    )
    call = only(profile, started=cell, answered="")
    assert isinstance(call, Call), call
    assert call.started_at == expected


@pytest.mark.parametrize(
    ("layout", "cell"),
    [
        ("iso", "2026-03-02"),
        ("iso", "2026-02-30T00:00:00Z"),
        ("epoch_s", "1772463600.5"),
        ("epoch_s", "17724636000000000"),
        ("%d-%b-%Y %H:%M:%S %z", "02-Mai-2026 10:00:00 -0500"),
        ("%d-%b-%Y %H:%M:%S %z", "02-Mar-2026 10:00:00 -9900"),
    ],
)
def test_moments_that_are_none(layout: str, cell: str) -> None:
    profile = files.SWITCH.replace(
        '"started"\nformat = "%Y-%m-%d %H:%M:%S"', f'"started"\nformat = "{layout}"'
    )
    kept = only(profile, started=cell)
    assert isinstance(kept, SetAsideRow)
    assert (kept.code, cell in kept.reason) == ("unreadable_time", True)


def test_iso_without_offset_and_zone_is_set_aside() -> None:
    profile = files.CANONICAL
    columns = ("id", "company", "started_at", "ended_at", "updated_at", "talk_ms", "wrap_ms", "direction")
    columns += ("disposition", "service", "queue", "number", "from_number", "to_number", "flags")
    cells = (
        "1",
        "acme",
        "2026-03-02T10:00:00",
        "2026-03-02T10:00:00",
        "",
        "0",
        "",
        "inbound",
        "answered",
        *[""] * 6,
    )
    assert take_in(text_of([cells], columns), profile).reasons.keys() == {"no_offset"}


def test_an_end_worked_out_from_the_duration() -> None:
    profile = files.SWITCH.replace(
        '[ended_at]\ncolumn = "ended"\nformat = "%Y-%m-%d %H:%M:%S"',
        '[duration]\ncolumn = "ended"\nunit = "s"',
    )
    call = only(profile, ended="65")
    assert isinstance(call, Call)
    assert call.ended_at == datetime(2026, 3, 2, 15, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "talk", "answered", "expected"),
    [
        ("", "60", "2026-03-02 10:00:05", "answered"),
        ("", "0", "2026-03-02 10:00:05", "answered"),
        ("", "60", "", "answered"),
        ("", "0", "", "abandoned"),
        ('rule = "talk"', "0", "2026-03-02 10:00:05", "abandoned"),
        ('rule = "answered_at"\notherwise = "no_answer"', "60", "", "no_answer"),
    ],
)
def test_disposition_by_rule(rule: str, talk: str, answered: str, expected: str) -> None:
    profile = files.SWITCH.replace('column = "disposition"', rule)
    call = only(profile, talk=talk, answered=answered)
    assert isinstance(call, Call), call
    assert call.disposition == expected


@pytest.mark.parametrize(
    ("company", "cell", "expected"),
    [
        ('column = "company"\nvalues = { "0" = "acme", "1" = "borealis" }', "1", "borealis"),
        ('constant = "borealis"', "anything", "borealis"),
        ('column = "company"\nnumbers = { "+1 212 555-0100" = "borealis" }', "(212) 555.0100", "borealis"),
        ('column = "company"\nnumbers = { "+1 212 555-0100" = "borealis" }', "0012125550100", "borealis"),
    ],
)
def test_every_way_to_find_the_company(company: str, cell: str, expected: str) -> None:
    profile = files.SWITCH.replace('column = "company"', company, 1) + '[numbers]\ncountry_code = "1"\n'
    call = only(profile, company=cell)
    assert isinstance(call, Call), call
    assert call.company == Company.objects.get(key=expected)


def test_numbers_words_and_flags() -> None:
    profile = (
        files.SWITCH.replace('column = "direction"', 'constant = "outbound"')
        + """
        [numbers]
        country_code = "1"
        [from_number]
        column = "from"
        [to_number]
        column = "to"
        [service]
        column = "line"
        values = { "1" = "main" }
        [[flags]]
        column = "junk"
        when = ["Y", "yes"]
        flag = "spam"
        [[flags]]
        column = "tags"
        values = { try = "test", robot = "robocall" }
        """
    )
    columns = (*files.COLUMNS, "from", "to", "line", "junk", "tags")
    rows = [
        (*row(id="1"), "(212) 555-0100", "+44 20 7183 8750", "1", "Y", "robot; vip ;try"),
        (*row(id="2"), "Anonymous", "101", "", "N", ""),
        (*row(id="3"), "", "", "2", "", ""),
        (*row(id="4"), "sip:somebody@example.org", "", "", "", ""),
    ]
    report = take_in(text_of(rows, columns), profile)
    first, second = Call.objects.order_by("source_call_id")
    assert (first.from_number, first.to_number, first.service) == ("+12125550100", "+442071838750", "main")
    assert first.flags == ["robocall", "spam", "test"]
    assert (second.from_number, second.to_number, second.service, second.flags) == (None, "101", None, [])
    assert {code: group.first_lines for code, group in report.reasons.items()} == {
        "unknown_value": [4],
        "long_value": [5],
    }


def test_text_that_looks_like_copy_commands_is_only_text() -> None:
    profile = files.SWITCH.replace('["id"]', '["id", "note"]') + '[queue]\ncolumn = "note"\n'
    notes = ["\\N", "\\.", "a\tb", "line\nbreak", "back\\slash", "';DROP TABLE usage_call;--", "{a,b}", '"']
    rows = [(*row(id=str(n)), note) for n, note in enumerate(notes)]
    report = take_in(text_of(rows, (*files.COLUMNS, "note")), profile)
    assert report.accepted == len(notes)
    stored: dict[str, Any] = dict(Call.objects.values_list("source_call_id", "queue"))
    assert stored == {f"{n}/{note}": note for n, note in enumerate(notes)}
