"""The results as Markdown tables: work by fault, one table for each kind of outside that can fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.kills.cases import Result
from tests.kills.mail import MAILBOX_FAULTS, SMTP_FAULTS
from tests.kills.points import FAULTS
from tests.kills.work import Work

SHOWN = 20
_OUTSIDES = {
    "Stripe": tuple(FAULTS),
    "the mail server": tuple(SMTP_FAULTS),
    "the mailbox": tuple(MAILBOX_FAULTS),
}


@dataclass(frozen=True)
class Tally:
    """What was walked of one work with keys fresh or aged: cases by fault, violations by the case's name."""

    work: str
    aged: bool
    cases: Mapping[str, int]
    killed: int
    violations: Mapping[str, Sequence[str]]
    seconds: float


def tally(work: str, *, aged: bool, results: Sequence[Result], seconds: float) -> Tally:
    """Counted."""
    return Tally(
        work,
        aged,
        cases=dict(Counter(result.case.fault for result in results)),
        killed=sum(bool(result.case.kill) for result in results),
        violations={result.case.name: result.problems for result in results if result.problems},
        seconds=seconds,
    )


def lacking(tallies: Sequence[Tally], works: Iterable[Work]) -> list[str]:
    """Of these works, whole, what has no case: each fault that the work names, fresh and aged."""
    met = {(each.work, each.aged, fault) for each in tallies for fault, cases in each.cases.items() if cases}
    return [
        f"{work.name}: no case of {fault or 'no fault'} with keys {'aged' if aged else 'fresh'}"
        for work in works
        for fault in ("", *work.faults)
        for aged in (False, True)
        if (work.name, aged, fault) not in met
    ]


def report(tallies: Sequence[Tally]) -> str:
    """The tables, the sums, and the first violations with the command that walks each alone."""
    lines: list[str] = []
    for outside, faults in _OUTSIDES.items():
        works = sorted({each.work for each in tallies if _outside(each.work, tallies) == outside})
        if works:
            lines += ["", f"What {outside} does:", "", *_table(tallies, works, faults)]
    cases, violations = _cases(tallies), {k: v for each in tallies for k, v in each.violations.items()}
    killed, aged = sum(each.killed for each in tallies), _cases(each for each in tallies if each.aged)
    lines.append(
        f"\n{cases} cases, {killed} of them killed, {aged} with keys aged, {len(violations)} violations, "
        f"{sum(each.seconds for each in tallies) / 60:.0f} minutes of one process"
    )
    for name, problems in list(violations.items())[:SHOWN]:
        lines.append(f'\npython -m tests.kills --only "{name}"')
        lines += [f"    {problem}" for problem in problems]
    if len(violations) > SHOWN:
        lines.append(f"\nand {len(violations) - SHOWN} more")
    return "\n".join(lines)


def _outside(work: str, tallies: Sequence[Tally]) -> str:
    """Whose faults the work met; Stripe's, of which it met none, if it met none at all."""
    met = {fault for each in tallies if each.work == work for fault in each.cases if fault}
    return next((outside for outside, faults in _OUTSIDES.items() if met & set(faults)), "Stripe")


def _table(tallies: Sequence[Tally], works: Sequence[str], faults: Sequence[str]) -> list[str]:
    columns = ("", *faults)
    heads = ("work", *(column or "no fault" for column in columns), "all", "killed", "aged", "violations")
    lines = [
        f"| {' | '.join(heads)} |",
        "|---|" + "---:|" * (len(columns) + 4),
    ]
    for name, those in [*((work, (work,)) for work in works), ("all", works)]:
        mine = [each for each in tallies if each.work in those]
        cells = [sum(each.cases.get(column, 0) for each in mine) or "–" for column in columns]
        sums = (
            _cases(mine),
            sum(each.killed for each in mine),
            _cases(each for each in mine if each.aged),
            sum(len(each.violations) for each in mine),
        )
        lines.append(f"| {' | '.join(str(cell) for cell in (name, *cells, *sums))} |")
    return lines


def _cases(tallies: Iterable[Tally]) -> int:
    return sum(sum(each.cases.values()) for each in tallies)
