"""What people open in a spreadsheet is text to it, whatever it begins with."""

from __future__ import annotations

import pytest

from callbill.web.console.spreadsheet import harmless


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+cmd", "-x", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠SUM"],
)
def test_no_sign_of_a_formula_comes_first(text: str) -> None:
    assert harmless(text) == f"'{text}"


def test_what_is_no_formula_stays_as_it_is() -> None:
    for text in ("Acme", "-12.50", "+4930123456", "a=b", ""):
        assert harmless(text) == text
