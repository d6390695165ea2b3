"""Each rule of the house can fail: a planted breach is found, and its honest neighbour is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.house import rules_of_the_house as rules

Rule = Callable[[str, str], list[str]]

_LONG_FUNCTION = "def long():\n" + "    x = 1\n" * 70
_LONG_DOOR = '"""Owns much.\n' + "more\n" * 15 + '"""\n'

BREACHES: list[tuple[Rule, str, str]] = [
    (rules.too_long, "a.py", "x = 1\n" * 401),
    (rules.too_long, "a.py", _LONG_FUNCTION),
    (rules.too_long, "a.py", "class A:\n    async def long(self):\n" + "        x = 1\n" * 70),
    (rules.asks_the_time, "callbill/domain/a.py", "from datetime import datetime\nx = datetime.now()"),
    (rules.asks_the_time, "callbill/web/a.py", "from django.utils import timezone\nx = timezone.now()"),
    (rules.asks_the_time, "callbill/jobs/a.py", "import time\nx = time.time()"),
    (rules.asks_the_time, "callbill/domain/a.py", "from callbill.lib import clock"),
    (rules.asks_the_time, "callbill/rules/a.py", "from callbill.lib.clock import now"),
    (rules.floats, "a.py", "rate = 1.35"),
    (rules.floats, "a.py", "rate = float('1.35')"),
    (rules.floats, "a.py", "share = models.FloatField()"),
    (rules.undocumented, "a.py", "x = 1"),
    (rules.undocumented, "a.py", '"""A."""\ndef rate(): ...'),
    (rules.undocumented, "a.py", '"""A."""\nclass Money: ...'),
    (rules.bad_door, "a.py", "x = 1"),
    (rules.bad_door, "a.py", '"""Owns."""\nimport os'),
    (rules.bad_door, "a.py", _LONG_DOOR),
    (rules.operations_by_position, "a.py", "def pay(invoice): ..."),
    (rules.unsafe_markup, "a.html", '<p style="color: red">'),
    (rules.unsafe_markup, "a.html", "<style>"),
    (rules.unsafe_markup, "a.html", "<script>alert(1)</script>"),
    (rules.unsafe_markup, "a.html", '<button onclick="pay()">'),
    (rules.unsafe_markup, "a.html", "{{ name|safe }}"),
    (rules.names_places, "a.txt", "--index" + "-url https://example.org"),
    (rules.names_places, "a.txt", "see https://pypi" + ".org/simple"),
    (rules.names_places, "a.md", "cd /ro" + "ot/callbill"),
    (rules.names_places, "a.md", "`/ho" + "me/ann/callbill`"),
    (rules.untested_by_choice, "a.py", "@pytest.mark." + "skip"),
    (rules.untested_by_choice, "a.py", "pytest." + "importorskip('x')"),
]

HONEST: list[tuple[Rule, str, str]] = [
    (rules.too_long, "a.py", "def short():\n" + "    x = 1\n" * 60),
    (rules.asks_the_time, "callbill/lib/clock.py", "x = datetime.now(UTC)"),
    (rules.asks_the_time, "callbill/web/a.py", "from callbill.lib import clock\nx = clock.now()"),
    (rules.asks_the_time, "callbill/config/a.py", "import time\nx = time.monotonic()"),
    (rules.floats, "a.py", "from decimal import Decimal\nrate = Decimal('1.35') * 3"),
    (rules.undocumented, "a.py", '"""A."""\ndef rate():\n    """Price it."""\ndef _private(): ...'),
    (rules.bad_door, "a.py", '"""Owns."""\n'),
    (rules.operations_by_position, "a.py", "def pay(*, invoice): ...\ndef _private(x): ..."),
    (rules.unsafe_markup, "a.html", '<script src="{% static "a.js" %}" defer></script><p class="safe">'),
    (rules.unsafe_markup, "a.html", '<script nonce="{{ request.csp_nonce }}">'),
    (rules.names_places, "Makefile", "pip-compile --no-emit-index-url"),
    (rules.names_places, "a.py", "path('account/home/', home)  # var/work/file, {base}/home/x"),
    (rules.untested_by_choice, "a.py", "@pytest.mark.parametrize('x', [1])"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BREACHES)
def test_a_breach_is_found(rule: Rule, path: str, text: str) -> None:
    assert rule(path, text)


@pytest.mark.parametrize(("rule", "path", "text"), HONEST)
def test_honest_code_is_left_alone(rule: Rule, path: str, text: str) -> None:
    assert rule(path, text) == []


@pytest.mark.parametrize(
    "path", ["callbill/web/utils.py", "callbill/common/money.py", "callbill/a/_helpers.py"]
)
def test_a_meaningless_name_is_found(path: str) -> None:
    assert rules.meaningless_name(path)


def test_a_name_that_says_something_is_left_alone() -> None:
    assert rules.meaningless_name("callbill/rules/money.py") == []
