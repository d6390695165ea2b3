"""A profile's mistakes: all at once, each with its place and what would be right."""

from __future__ import annotations

import pytest

from callbill.domain.usage.models import Call, CallImport
from callbill.domain.usage.operations import ProfileErrors, read_profile
from tests.domain.usage import files


def mistakes(text: str) -> dict[str, str]:
    """The mistakes of a profile: message by path."""
    with pytest.raises(ProfileErrors) as caught:
        read_profile(text)
    return {problem.path: problem.message for problem in caught.value.problems}


def changed(old: str, new: str) -> str:
    """The switch's profile with one thing replaced."""
    assert old in files.SWITCH
    return files.SWITCH.replace(old, new, 1)


def test_all_mistakes_are_told_at_once() -> None:
    told = mistakes(
        """
        sorce = "switch"
        time_zone = "America/New_Yrok"
        [file]
        delimiter = ", "
        encoding = "utf-7"
        [company]
        constant = "acme"
        column = "company"
        [started_at]
        column = "started"
        format = "%d/%m"
        [talk_ms]
        column = "talk"
        [direction]
        constant = "incoming"
        [disposition]
        column = "d"
        values = { ANSWERED = "handled" }
        [checks]
        longest_hours = 0
        """
    )
    assert told.keys() == {
        "source",
        "sorce",
        "time_zone",
        "file.delimiter",
        "file.encoding",
        "id",
        "company",
        "started_at.format",
        "ended_at",
        "talk_ms.unit",
        "direction.constant",
        'disposition.values."ANSWERED"',
        "checks.longest_hours",
    }
    assert 'did you mean "source"?' in told["sorce"]
    assert 'write one of "inbound", "outbound", "internal"' in told["direction.constant"]


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        ("source = ", "", "not TOML"),
        (changed('source = "switch"', 'source = "Switch 1"'), "source", "small letters"),
        (changed('source = "switch"', "source = 1"), "source", "text in quotes"),
        (changed('time_zone = "America/New_York"\n', ""), "time_zone", "the times have no offset"),
        (changed('columns = ["id"]', "columns = []"), "id.columns", "write a list"),
        (changed('columns = ["id"]', 'columns = "id"'), "id.columns", "write a list"),
        (changed("%H:%M:%S", "%H:%M:%Q"), "started_at.format", '"%Q"'),
        (changed("%H:%M:%S", "%I:%M:%S"), "started_at.format", "%p"),
        (changed("%Y-%m-%d", "%Y-%m-%d %Y"), "started_at.format", "twice"),
        (changed('format = "%Y-%m-%d %H:%M:%S"\n', ""), "started_at.format", "is missing"),
        (
            changed('column = "ended"', 'column = "ended"\npast_midnight = "next_day"'),
            "ended_at.past_midnight",
            "two",
        ),
        (changed('column = "ended"', 'column = "ended"\ndate_column = "d"'), "ended_at", "either one column"),
        (changed('unit = "s"', 'unit = "seconds"'), "talk_ms.unit", '"decimal_s"'),
        (changed('column = "talk"', 'column = "talk"\nconstant = 5'), "talk_ms", "exactly one"),
        (changed('column = "talk"', "constant = 1.5"), "talk_ms.constant", "whole number"),
        (files.SWITCH + 'rule = "talk"', "disposition.rule", "does not go with"),
        (files.SWITCH + '[[flags]]\ncolumn = "s"\nflag = "spam"', "flags[0]", '"when"'),
        (files.SWITCH + '[[flags]]\ncolumn = "s"\nwhen = ["1"]\nflag = "junk"', "flags[0].flag", '"spam"'),
        (files.SWITCH + "[file]\nheader = false", "file.columns", "list the columns"),
        (files.SWITCH + '[file]\ncolumns = ["a", "a"]', "file.columns", "twice"),
        (files.SWITCH + '[numbers]\ncountry_code = "+1"', "numbers.country_code", "digits"),
        (
            changed('column = "company"', 'column = "company"\nnumbers = { "212555" = "acme" }'),
            'company.numbers."212555"',
            "not a number",
        ),
    ],
)
def test_a_mistake_says_where_and_what_would_be_right(text: str, path: str, says: str) -> None:
    told = mistakes(text)
    assert path in told, told
    assert says in told[path]


@pytest.mark.usefixtures("companies")
class TestAgainstTheFile:
    def test_a_column_that_is_not_in_the_file_is_refused_before_anything_is_imported(self) -> None:
        profile = changed('column = "talk"', 'column = "billsec"').replace('["id"]', '["id", "leg"]')
        with pytest.raises(ProfileErrors) as caught:
            files.take_in(files.text_of([files.row()]), profile)
        told = {problem.path: problem.message for problem in caught.value.problems}
        assert told.keys() == {"id.columns[1]", "talk_ms.column"}
        assert '"billsec"' in told["talk_ms.column"]
        assert '"talk"' in told["talk_ms.column"], "says which columns are there"
        assert not CallImport.objects.exists()
        assert not Call.objects.exists()

    def test_a_company_that_is_not_there_is_refused_before_anything_is_imported(self) -> None:
        profile = changed('column = "company"', 'column = "company"\nvalues = { "0" = "acme", "1" = "acne" }')
        with pytest.raises(
            ProfileErrors, match='"acne", which is not there; the companies are acme, borealis'
        ):
            files.take_in(files.text_of([files.row()]), profile)
        assert not CallImport.objects.exists()
