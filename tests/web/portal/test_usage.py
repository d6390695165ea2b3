"""Usage: the chart, its table, and the estimate so far."""

from __future__ import annotations

import re
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from callbill.web.portal.chart import HEIGHT, draw
from tests.domain import world
from tests.web.portal.conftest import Cast, browser, text_of

START = date(2026, 2, 1)


def test_calls_per_day_as_a_chart_and_as_a_table(cast: Cast) -> None:
    html = browser(cast.max).get("/usage/").content.decode()
    assert 'role="img" aria-labelledby="chart-title chart-words"' in html
    assert "7 calls in 10 days so far. The busiest day is 3 February 2026 with 7." in html
    bars = re.findall(r"<g><title>(.+?)</title>", html)
    assert len(bars) == 28
    assert bars[2] == "3 Feb 2026: 7 calls"
    rows = re.findall(r'<th scope="row">(\d+ Feb 2026)</th><td class="number">(\d+)</td>', html)
    assert len(rows) == 10, "the days that have been"
    assert dict(rows)["3 Feb 2026"] == "7"


def test_the_estimate_says_what_it_is(cast: Cast) -> None:
    said = text_of(browser(cast.max).get("/usage/"))
    # 7 x 1.35 = 9.45, less 0.95, desk 49.00 by the whole month, tax 8.875 % of 8.50 = 0.75
    assert "If the period ended now $58.25 USD with $0.75 tax; may change until the period ends" in said
    assert "Calls billed 7 of 7 received" in said
    assert "Counted up to 10 Feb 2026, 10:30 EST." in said


def test_no_calls_yet(cast: Cast) -> None:
    said = text_of(browser(cast.zoe).get("/usage/"))
    assert "No calls in this period yet" in said


def test_several_companies_are_chosen_from(cast: Cast) -> None:
    world.calls(cast.dental, 4, on=date(2026, 2, 5))
    client = browser(cast.olga)
    said = text_of(client.get("/usage/"))
    assert "Usage Harbor Clinic, 1 to 28 February 2026" in said
    said = text_of(client.get(f"/usage/?company={cast.dental.id}"))
    assert "Usage Harbor Dental, 1 to 28 February 2026" in said
    assert "4 calls in 10 days so far" in said


def test_another_tenants_company_is_not_there(cast: Cast) -> None:
    client = browser(cast.amy)
    for company in (cast.zenith.id, "nonsense", "00000000-0000-0000-0000-000000000000"):
        assert client.get("/usage/", {"company": company}).status_code == 404
    # NUL is in no text, so this asks for nothing.
    assert "Acme Dental" in text_of(client.get("/usage/", {"company": "\x00"}))


def test_somebody_without_a_company_is_told_what_to_do(cast: Cast) -> None:
    client = browser(world.person("lone@nowhere.example"))
    for page in ("/usage/", "/company/"):
        assert "Your account belongs to no company yet Ask your CIC contact" in text_of(client.get(page))


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=31))
def test_bars_are_true_to_their_counts(counts: list[int]) -> None:
    chart = draw([(START + timedelta(days=index), count) for index, count in enumerate(counts)])
    assert chart is not None
    assert chart.total == sum(counts)
    assert chart.top_count >= max(counts)
    assert chart.top_count <= max(2, 2 * max(counts)), "no more empty space than half"
    assert chart.top_count == 2 * chart.half_count
    for bar, count in zip(chart.bars, counts, strict=True):
        assert bar.top + bar.height == HEIGHT
        assert 0 <= bar.left < bar.left + bar.width <= chart.width
        assert (bar.height == 0) == (count == 0)
        # Within half a unit of exact, but for the sliver that says "not none".
        assert abs(bar.height * chart.top_count - count * HEIGHT) * 2 <= chart.top_count or bar.height == 1
    heights = sorted(chart.bars, key=lambda bar: bar.calls)
    assert [bar.height for bar in heights] == sorted(bar.height for bar in chart.bars)


def test_no_days_no_chart() -> None:
    assert draw([]) is None
