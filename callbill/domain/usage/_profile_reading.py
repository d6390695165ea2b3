"""Reading a profile with all its mistakes at once: each says where, what is wrong, what would be right."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from callbill.domain.usage._formats import (
    DATE_DIRECTIVES,
    DIRECTIVES,
    EPOCHS,
    TIME_DIRECTIVES,
    directives_of,
)
from callbill.domain.usage._numbers import e164
from callbill.domain.usage._profile import (
    DIRECTIONS,
    DISPOSITIONS,
    ENCODINGS,
    FLAGS,
    RULES,
    UNITS,
    Checks,
    CompanyRule,
    DispositionRule,
    Duration,
    FlagRule,
    Instant,
    Profile,
    ProfileErrors,
    Text,
    Unit,
)
from callbill.domain.usage._profile_table import TableReading, listed, shown
from callbill.rules.period import UnknownTimeZone
from callbill.rules.period import time_zone as known_zone
from callbill.rules.problem import Problem

_SLUG = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}")


def read_profile(text: str, *, name: str = "") -> Profile:
    """The profile that a TOML text says; `name` (its file's) stands in when it gives none.

    Raises ProfileErrors with every mistake in it.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileErrors([Problem("", f"The profile is not TOML: {error}")]) from None
    return profile_of(document, name=name)


def profile_of(document: Mapping[str, Any], *, name: str = "") -> Profile:
    """The profile of a document that is parsed already. Raises ProfileErrors."""
    problems: list[Problem] = []
    top = TableReading(document, "", problems)
    values = {
        "name": top.text("name", name or "profile")[:255],
        "source": _source(top),
        "time_zone": _zone(top),
        "country_code": _country_code(top.table("numbers")),
        **_file(top.table("file")),
        **_id(top),
        **_instants(top),
        **_durations(top),
        **_texts(top),
    }
    values["company"] = _company(top, str(values["country_code"]))
    values["disposition"] = _disposition(top.table("disposition"))
    values["flags"] = tuple(_flag(table) for table in top.tables("flags"))
    values["checks"] = _checks(top.table("checks"))
    top.finish()
    _check_zone(values, problems)
    _check_end(values, problems)
    if problems:
        raise ProfileErrors(problems)
    profile = Profile(document=json.loads(json.dumps(document, default=str)), **values)
    if profile.columns:
        refuse_unknown_columns(profile, profile.columns)
    return profile


def refuse_unknown_columns(profile: Profile, columns: Sequence[str]) -> None:
    """Raise ProfileErrors if the profile names a column that is not among `columns`."""
    there = f"the file has {listed(columns)}" if columns else "the file has no columns"
    problems = [
        Problem(path, f'names the column "{column}", which is not in the file; {there}')
        for path, column in profile.columns_named()
        if column not in columns
    ]
    if problems:
        raise ProfileErrors(problems)


def _source(top: TableReading) -> str:
    source = top.text("source", required='a short name of the switch or feed, as in source = "switch-1"')
    if source and not _SLUG.fullmatch(source):
        top.report("source", f"is {shown(source)}; use up to 60 small letters, digits, - _ and .")
    return source


def _zone(top: TableReading) -> str | None:
    zone = top.text("time_zone")
    if not zone:
        return None
    try:
        known_zone(zone)
    except UnknownTimeZone as error:
        top.report("time_zone", f"is wrong: {error}")
    return zone


def _country_code(table: TableReading | None) -> str:
    if table is None:
        return ""
    code = table.text("country_code", required='as in country_code = "1"')
    if code and not re.fullmatch(r"[1-9][0-9]{0,2}", code):
        table.report("country_code", f'is {shown(code)}; write one to three digits, as in "1"')
    table.finish()
    return code


def _file(table: TableReading | None) -> dict[str, Any]:
    if table is None:
        return {}
    delimiter = table.text("delimiter", ",")
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        table.report("delimiter", f'is {shown(delimiter)}; write one character, such as "," or "\\t"')
    encoding = table.choice("encoding", ENCODINGS, "utf-8")
    columns = table.texts("columns")
    header = table.flag("header", not columns)
    if header and columns:
        table.report(
            "columns", "is given although the file has a header line; remove it or set header = false"
        )
    if not header and not columns:
        table.report("columns", "is missing: without a header line list the columns' names, in order")
    if len(set(columns)) != len(columns):
        table.report("columns", "has a name twice; every column needs a name of its own")
    table.finish()
    return {"delimiter": delimiter, "encoding": encoding, "columns": columns}


def _id(top: TableReading) -> dict[str, Any]:
    table = top.table("id")
    if table is None:
        top.report(
            "id", 'is missing: say which columns hold the call\'s id, as in [id] columns = ["call_id"]'
        )
        return {"id_columns": (), "id_separator": "/"}
    columns = table.texts("columns", required='as in columns = ["call_id"]')
    separator = table.text("separator", "/")
    table.finish()
    return {"id_columns": columns, "id_separator": separator}


def _instants(top: TableReading) -> dict[str, Any]:
    read = {
        name: _instant(top.table(name)) for name in ("started_at", "answered_at", "ended_at", "updated_at")
    }
    if not top.has("started_at"):
        top.report("started_at", 'is missing: say where the start is, as in [started_at] column = "start"')
        read["started_at"] = Instant()
    return read


def _instant(table: TableReading | None) -> Instant | None:
    if table is None:
        return None
    whole = {key: table.text(key) for key in ("column", "format")}
    parts = {key: table.text(key) for key in ("date_column", "date_format", "time_column", "time_format")}
    empty = table.texts("empty", may_hold_empty=True) or ("",)
    past_midnight = table.choice("past_midnight", ("next_day",), "") == "next_day"
    given, missing = [key for key in parts if parts[key]], [key for key in parts if not parts[key]]
    if whole["column"] and given:
        table.report("", f'has "column" and {listed(given)}; write either one column or a date and a time')
    elif whole["column"]:
        _layout(table, "format", whole["format"], DATE_DIRECTIVES | TIME_DIRECTIVES | {"%z"}, whole=True)
    elif given:
        for key in missing:
            table.report(key, "is missing: date and time in two columns need all four keys")
        if not missing:
            _layout(table, "date_format", parts["date_format"], DATE_DIRECTIVES)
            _layout(table, "time_format", parts["time_format"], TIME_DIRECTIVES)
    else:
        table.report("column", 'is missing: name one column, or "date_column" and "time_column"')
    if past_midnight and not parts["date_column"]:
        table.report("past_midnight", "is only for a date and a time in two columns")
    if past_midnight and table.path == "started_at":
        table.report("past_midnight", "is for the moments after the start")
    table.finish()
    return Instant(**whole, **parts, empty=empty, past_midnight=past_midnight)


def _layout(
    table: TableReading, key: str, layout: str, allowed: frozenset[str], *, whole: bool = False
) -> None:
    """Check a date or time format; `whole` formats hold both and may be "iso" or an epoch."""
    if whole and (layout == "iso" or layout in EPOCHS):
        return
    words = f'"iso", {listed(EPOCHS)}, or ' if whole else ""
    usable = [directive for directive in DIRECTIVES if directive in allowed]
    if not layout:
        table.report(key, f"is missing: write {words}a pattern of {' '.join(usable)}")
        return
    used = directives_of(layout)
    for wrong in sorted({d for d in used if d not in allowed and d != "%%"}):
        table.report(key, f'has "{wrong}", which is not known here; use {words}{" ".join(usable)}')
    for twice in sorted({d for d in used if used.count(d) > 1 and d != "%%"}):
        table.report(key, f'has "{twice}" twice')
    has = set(used)
    if allowed & DATE_DIRECTIVES and not ({"%Y", "%d"} <= has and len(has & {"%m", "%b"}) == 1):
        table.report(key, f'is {shown(layout)}; a date needs %Y, %d and one of %m and %b, as in "%d/%m/%Y"')
    if allowed & TIME_DIRECTIVES and not (
        "%M" in has and ("%H" in has) != ("%I" in has) and ("%I" in has) == ("%p" in has)
    ):
        table.report(
            key, f'is {shown(layout)}; a time needs %H and %M, or %I, %M and %p, as in "%I:%M:%S %p"'
        )


def _durations(top: TableReading) -> dict[str, Any]:
    names = ("duration", "talk_ms", "wrap_ms", "hold_ms", "queue_ms")
    read = {name: _duration(top.table(name)) for name in names}
    if not top.has("talk_ms"):
        top.report("talk_ms", 'is missing: say where the talk time is, as in [talk_ms] column = "billsec"')
        read["talk_ms"] = Duration()
    return read


def _duration(table: TableReading | None) -> Duration | None:
    if table is None:
        return None
    unit = table.choice("unit", UNITS, "")
    column = table.text("column")
    constant = table.whole("constant", -1, least=0, most=86_400_000)
    between = table.choice("between", ("answered_and_ended",), "") if table.path == "talk_ms" else ""
    ways = [key for key in ("column", "constant", "between") if table.has(key)]
    if len(ways) != 1:
        choices = ["column", "constant", *(["between"] if table.path == "talk_ms" else [])]
        table.report("", f"needs exactly one of {listed(choices)}")
    elif ways != ["between"] and not table.has("unit"):
        table.report("unit", f"is missing: write one of {listed(UNITS)}")
    if unit == "decimal_s" and table.has("constant"):
        table.report("unit", 'is "decimal_s"; a constant is a whole number of "s" or "ms"')
    table.finish()
    return Duration(
        column=column,
        unit=cast(Unit, unit or "s"),
        constant_ms=None if constant < 0 else constant * (1 if unit == "ms" else 1000),
        answered_to_ended=bool(between),
    )


def _texts(top: TableReading) -> dict[str, Any]:
    read = {
        name: _text(top.table(name)) for name in ("service", "queue", "number", "from_number", "to_number")
    }
    direction = _text(top.table("direction"), DIRECTIONS)
    if not top.has("direction"):
        top.report("direction", 'is missing: a column, or for example [direction] constant = "inbound"')
    return {**read, "direction": direction or Text()}


def _text(table: TableReading | None, allowed: Sequence[str] = ()) -> Text | None:
    if table is None:
        return None
    column, constant, values = table.text("column"), table.text("constant"), table.mapping("values")
    if table.has("column") == table.has("constant"):
        table.report("", 'needs exactly one of "column" and "constant"')
    if values and not column:
        table.report("values", 'needs a "column" whose values it translates')
    if allowed and constant and constant not in allowed:
        table.report("constant", f"is {shown(constant)}; write one of {listed(allowed)}")
    for value, word in (values or {}).items() if allowed else ():
        if word not in allowed:
            table.report(f'values."{value}"', f"is {shown(word)}; write one of {listed(allowed)}")
    table.finish()
    return Text(column=column, constant=constant or None, values=values)


def _company(top: TableReading, country_code: str) -> CompanyRule:
    table = top.table("company")
    if table is None:
        if not top.has("company"):
            top.report(
                "company", 'is missing: say how a row finds its company, as in [company] constant = "acme"'
            )
        return CompanyRule()
    column, constant = table.text("column"), table.text("constant")
    values, numbers = table.mapping("values"), table.mapping("numbers")
    if table.has("column") == table.has("constant"):
        table.report("", 'needs exactly one of "column" and "constant"')
    if values and numbers:
        table.report("", 'has "values" and "numbers"; the column holds either names or numbers')
    for key in ("values", "numbers"):
        if table.has(key) and table.has("constant"):
            table.report(key, 'needs a "column" whose values it translates')
    known: dict[str, str] = {}
    for number, company in (numbers or {}).items():
        normal = e164(number, country_code)
        if normal is None:
            table.report(f'numbers."{number}"', 'is not a number; write it as "+12125550100"')
        elif normal in known:
            table.report(f'numbers."{number}"', f"is the number {normal} a second time")
        else:
            known[normal] = company
    table.finish()
    return CompanyRule(
        column=column, constant=constant or None, values=values, numbers=known if numbers else None
    )


def _disposition(table: TableReading | None) -> DispositionRule:
    if table is None:
        return DispositionRule()
    if table.has("column") or table.has("constant"):
        for key in ("rule", "otherwise"):
            if table.has(key):
                table.report(key, 'does not go with "column" or "constant"')
                table.text(key)
        return DispositionRule(text=_text(table, DISPOSITIONS))
    rule = table.choice("rule", RULES, "talk_or_answered")
    otherwise = table.choice("otherwise", DISPOSITIONS, "abandoned")
    table.finish()
    return DispositionRule(rule=cast(Any, rule), otherwise=otherwise)


def _flag(table: TableReading) -> FlagRule:
    column = table.text("column", required="the column that tells")
    when, flag = table.texts("when"), table.choice("flag", FLAGS, "")
    separator, values = table.text("separator", ";"), table.mapping("values")
    if table.has("flag") != table.has("when"):
        table.report("", 'needs both "when" (the values) and "flag" (what they mean)')
    elif table.has("flag") == table.has("values"):
        table.report("", 'needs "when" and "flag", or "values" for a column that holds a list of words')
    for value, word in (values or {}).items():
        if word not in FLAGS:
            table.report(f'values."{value}"', f"is {shown(word)}; write one of {listed(FLAGS)}")
    table.finish()
    return FlagRule(column=column, when=when, flag=flag, separator=separator, values=values)


def _checks(table: TableReading | None) -> Checks:
    if table is None:
        return Checks()
    plain = Checks()
    read = Checks(
        talk_tolerance_seconds=table.whole(
            "talk_tolerance_seconds", plain.talk_tolerance_seconds, least=0, most=3600
        ),
        longest_hours=table.whole("longest_hours", plain.longest_hours, least=1, most=168),
        future_minutes=table.whole("future_minutes", plain.future_minutes, least=0, most=1440),
    )
    table.finish()
    return read


def _check_zone(values: Mapping[str, Any], problems: list[Problem]) -> None:
    moments = [values[name] for name in ("started_at", "answered_at", "ended_at", "updated_at")]
    local = [moment for moment in moments if moment and not moment.has_offset and moment.format != "iso"]
    if values["time_zone"] is None and local:
        problems.append(
            Problem(
                "time_zone", 'is missing: the times have no offset, so write for example "America/New_York"'
            )
        )


def _check_end(values: Mapping[str, Any], problems: list[Problem]) -> None:
    if values["ended_at"] is None and values["duration"] is None:
        problems.append(
            Problem("ended_at", "is missing: say where the end is, or give [duration] from the start")
        )
    if values["talk_ms"] and values["talk_ms"].answered_to_ended and values["answered_at"] is None:
        problems.append(Problem("talk_ms.between", "needs [answered_at]"))
    if values["disposition"].rule == "answered_at" and values["answered_at"] is None:
        problems.append(Problem("disposition.rule", "needs [answered_at]"))
