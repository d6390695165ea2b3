"""The results as a Markdown table: work by fault and keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.kills.cases import Result
from tests.kills.points import FAULTS

SHOWN = 20


def report(results: Sequence[Result]) -> str:
    """The table, the sums, and the first violations with the command that walks each alone."""
    columns = ["", *FAULTS]
    cases: Counter[tuple[str, str]] = Counter()
    bad: Counter[tuple[str, str]] = Counter()
    aged: Counter[str] = Counter()
    for result in results:
        place = (result.case.work, result.case.fault)
        cases[place] += 1
        bad[place] += bool(result.problems)
        aged[result.case.work] += result.case.aged
    works = list(dict.fromkeys(result.case.work for result in sorted(results, key=lambda r: r.case.work)))
    lines = [
        "| work | " + " | ".join(column or "no fault" for column in columns) + " | all | aged | violations |",
        "|---|" + "---:|" * (len(columns) + 3),
    ]
    for work in works:
        cells = [str(cases[work, column] or "–") for column in columns]
        total = sum(cases[work, column] for column in columns)
        wrong = sum(bad[work, column] for column in columns)
        lines.append(f"| {work} | {' | '.join(cells)} | {total} | {aged[work]} | {wrong} |")
    sums = [str(sum(cases[work, column] for work in works)) for column in columns]
    wrong = sum(bad.values())
    lines.append(f"| all | {' | '.join(sums)} | {len(results)} | {sum(aged.values())} | {wrong} |")
    killed = sum(bool(result.case.kill) for result in results)
    lines.append(f"\n{len(results)} cases, {killed} of them killed, {wrong} violations")
    violations = [result for result in results if result.problems]
    for result in violations[:SHOWN]:
        lines.append(f'\npython -m tests.kills --only "{result.case.name}"')
        lines += [f"    {problem}" for problem in result.problems]
    if len(violations) > SHOWN:
        lines.append(f"\nand {len(violations) - SHOWN} more")
    return "\n".join(lines)
