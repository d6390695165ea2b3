"""What the walk says of itself: nothing is left out unsaid, and it can go on where it was ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.kills import fleet, log
from tests.kills.cases import Case, Result
from tests.kills.fleet import Done, Unit
from tests.kills.table import Tally, lacking, report, tally
from tests.kills.walk import Counted
from tests.kills.works import WORKS

HERE = log.Tree("0123abc", dirty=False)
MET = Counted("cr", {(1, "after"): 2})


def whole() -> list[Tally]:
    """Everything walked, a case of each kind."""
    return [
        Tally(work.name, aged, dict.fromkeys(("", *work.faults), 1), 1, {}, 2.0)
        for work in WORKS
        for aged in (False, True)
    ]


def done(name: str, *faults: str) -> Done:
    """A unit with fresh keys that was walked: a case without a fault, or one with each."""
    counts = dict.fromkeys(faults or ("",), 1)
    return Done(Unit(name, False, faults=faults), Tally(name, False, counts, 1, {}, 2.0), MET)


def test_a_fault_without_a_case_is_named() -> None:
    tallies = whole()
    assert lacking(tallies, WORKS) == []
    place = next(n for n, each in enumerate(tallies) if each.work == "notifying/smtp" and each.aged)
    tallies[place] = replace(tallies[place], cases={**tallies[place].cases, "451": 0})
    assert lacking(tallies, WORKS) == ["notifying/smtp: no case of 451 with keys aged"]
    del tallies[place]
    assert (
        len(lacking(tallies, WORKS)) == len(next(w for w in WORKS if w.name == "notifying/smtp").faults) + 1
    )


def test_what_is_counted_is_shown() -> None:
    cases = [
        Case("charging/success"),
        Case("charging/success", kill=2),
        Case("charging/success", fault="429", at=1),
    ]
    results = [Result(cases[0]), Result(cases[1], ("paid twice",)), Result(cases[2])]
    said = report([tally("charging/success", aged=True, results=results, seconds=90), *whole()[-2:]])
    (row,) = [line for line in said.splitlines() if line.startswith("| charging/success |")]
    assert row.split(" | ")[1] == "2"
    assert row.endswith("| 3 | 1 | 3 | 1 |")
    assert '--only "charging/success/kill 2 before/no fault/fresh/nobody"\n    paid twice' in said
    assert "1 violations" in said


def test_a_log_is_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "log"
    first, second = done("charging/success"), done("charging/success", "503", "html")
    for each in (first, second):
        log.append(file, HERE, each)
    log.append(file, log.Tree("another", dirty=False), done("charging/soft decline"))
    file.write_text(file.read_text() + '{"unit": "cut of')
    known = log.known(file, HERE)
    assert list(known.values()) == [first, second]
    assert log.known(file, replace(HERE, dirty=True)) == {}
    assert log.known(tmp_path / "none", HERE) == {}


def test_only_what_is_not_known_is_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    first = done("notifying/mailbox")
    (follows,) = fleet._following(first)
    second = done("notifying/mailbox", *follows.faults)
    known = {each.unit.key: each for each in (first, second)}
    monkeypatch.setattr(fleet, "ProcessPoolExecutor", None)  # nothing is left for a worker
    assert list(fleet.run_units([first.unit], 2, known)) == [first, second]
    with pytest.raises(TypeError):
        list(fleet.run_units([first.unit, replace(first.unit, aged=True)], 2, known))
    assert first.unit.key != replace(first.unit, every=2).key
