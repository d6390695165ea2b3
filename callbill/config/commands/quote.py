"""`callbill quote`: what usage would cost under a contract, writing nothing."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callbill.rules.counting import reason_in_words
from callbill.rules.document import DocumentErrors, warnings_of
from callbill.rules.money import plain
from callbill.rules.problem import Problem
from callbill.rules.quote import Quote, answer, error_answer, price, quote

HELP = "what usage would cost under a contract, writing nothing"
NEEDS_DJANGO = False

_OPTION = re.compile(r"(period|from|until|quantity)\.?(.*)", re.DOTALL)
_ELSEWHERE = re.compile(r"(period|from|until|quantity|calls)\b")
_CALL = re.compile(r"calls\[(\d+)\]\.?(.*)", re.DOTALL)
_MOST_TOLD = 200
"""Mistakes shown to a person; a file of another kind has one on every line."""


def configure(parser: argparse.ArgumentParser) -> None:
    """A contract, a period, and calls or quantities; or requests on standard input."""
    parser.add_argument("contract", nargs="?", type=Path, help="the contract file (TOML)")
    parser.add_argument("--period", help="the month in which the billing period starts, such as 2026-03")
    parser.add_argument(
        "--calls", metavar="FILE", help="calls to count, one JSON object a line; - is standard input"
    )
    parser.add_argument(
        "--quantity",
        metavar="ID=N",
        action="append",
        default=[],
        help="price N calls or minutes of the charge ID without counting; may be repeated",
    )
    parser.add_argument("--from", dest="first", metavar="DAY", help="the first day that is priced")
    parser.add_argument("--until", metavar="DAY", help="the day after the last that is priced")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    parser.add_argument(
        "--batch", action="store_true", help="answer one JSON request a line on standard input"
    )


def run(args: argparse.Namespace) -> int:
    """Print the quote, or every mistake on standard error. 0 done, 1 mistakes, 2 wrong usage."""
    if args.batch:
        given = [
            name
            for name in ("contract", "period", "calls", "quantity", "first", "until")
            if getattr(args, name)
        ]
        if given:
            return _usage("--batch takes everything from standard input; leave the other arguments out")
        return _batch()
    if args.contract is None or args.period is None:
        return _usage("name a contract file and a --period, or use --batch")
    if args.calls and args.quantity:
        return _usage("give --calls or --quantity, not both")
    inputs = _Inputs(args)
    request = inputs.request()
    wrong: list[Problem] = []
    try:
        priced = price(request)
    except DocumentErrors as errors:
        wrong += inputs.not_told_yet(errors.problems)
    if problems := [*inputs.problems, *(inputs.placed(problem) for problem in wrong)]:
        if args.json:
            print(json.dumps(error_answer([*inputs.problems, *wrong]), ensure_ascii=False))
        for problem in problems[:_MOST_TOLD]:
            print(problem, file=sys.stderr)
        if len(problems) > _MOST_TOLD:
            print(f"... and {len(problems) - _MOST_TOLD} more mistakes", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(answer(priced), ensure_ascii=False))
    else:
        print("\n".join(_page(priced)))
    return 0


def _usage(message: str) -> int:
    print(f"callbill quote: {message}; see callbill quote --help", file=sys.stderr)
    return 2


def _batch() -> int:
    """Answer each request on its own line, at once; a bad one is answered by its mistakes."""
    for line in sys.stdin.buffer:
        if not line.strip():
            continue
        try:
            request = json.loads(line)
        except (ValueError, RecursionError) as error:
            reply = error_answer([Problem("", _no_json(error))])
        else:
            reply = quote(request)
        print(json.dumps(reply, ensure_ascii=True), flush=True)
    return 0


def _no_json(error: Exception) -> str:
    why = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
    return f"is not one JSON object on one line: {why}"


@dataclass
class _Inputs:
    """What the command line names, as far as it can be read. What cannot be is in `problems`."""

    args: argparse.Namespace
    problems: list[Problem] = field(default_factory=list)
    call_lines: list[int] = field(default_factory=list)
    """The line in its file of each call."""
    contract_is_read: bool = True

    def request(self) -> dict[str, Any]:
        """The request as JSON would have it."""
        usage: dict[str, Any] = {"quantity": self._quantities()}
        if self.args.calls:
            usage = {"calls": list(self._calls())}
        days = {"period": self.args.period, "from": self.args.first, "until": self.args.until}
        return {"contract": self._contract(), **days, **usage}

    def not_told_yet(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems without those of a contract that could not be read at all."""
        if self.contract_is_read:
            return list(problems)
        return [problem for problem in problems if _ELSEWHERE.match(problem.path)]

    def placed(self, problem: Problem) -> Problem:
        """The problem with the file, line or option it is in as its path."""
        if call := _CALL.fullmatch(problem.path):
            place = f"{self.args.calls} line {self.call_lines[int(call[1])]}"
            return Problem(f"{place}, {call[2]}" if call[2] else place, problem.message)
        if option := _OPTION.fullmatch(problem.path):
            return Problem(f"--{option[1]} {option[2]}".rstrip(), problem.message)
        return Problem(f"{self.args.contract}, {problem.path}".rstrip(", "), problem.message)

    def _contract(self) -> dict[str, Any]:
        """The contract's tables; empty if the file cannot be read, which is reported."""
        try:
            return tomllib.loads(self.args.contract.read_text("utf-8-sig"))
        except OSError as error:
            message = f"cannot be read: {error.strerror or error}"
        except UnicodeDecodeError:
            message = "is not text in UTF-8"
        except tomllib.TOMLDecodeError as error:
            message = f"is not TOML: {error}"
        self._refuse(str(self.args.contract), message)
        self.contract_is_read = False
        return {}

    def _quantities(self) -> dict[str, str]:
        quantities: dict[str, str] = {}
        for given in self.args.quantity:
            name, equals, number = given.partition("=")
            if not equals:
                self._refuse(f"--quantity {given}", "write the charge and how much, as in inbound=6200")
            elif name in quantities:
                self._refuse(f"--quantity {given}", f"{name} is given twice; write it once")
            else:
                quantities[name] = number
        return quantities

    def _calls(self) -> Iterator[Any]:
        """The calls of the file. Lines that are no JSON are reported, and so is an unreadable file."""
        name = self.args.calls
        try:
            with contextlib.ExitStack() as opened:
                source = sys.stdin.buffer if name == "-" else opened.enter_context(open(name, "rb"))
                for number, line in enumerate(source, start=1):
                    if not line.strip():
                        continue
                    try:
                        call = json.loads(line)
                    except (ValueError, RecursionError) as error:
                        self._refuse(f"{name} line {number}", _no_json(error))
                        continue
                    self.call_lines.append(number)
                    yield call
        except OSError as error:
            self._refuse(name, f"cannot be read: {error.strerror or error}")

    def _refuse(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))


def _page(priced: Quote) -> Iterator[str]:
    """The quote for a person: a table, each line with how it came about, the calls, and what to look at."""
    terms, rated = priced.terms, priced.rated
    yield f"Quote for {priced.period.label}, {terms.time_zone}, in {rated.currency}"
    yield ""
    rows = [("", "Quantity", "Amount", "Tax")]
    notes: list[list[str]] = [[]]
    for line in rated.lines:
        unit = "" if line.unit in ("each", "once") else f" {line.unit}{'' if line.quantity == 1 else 's'}"
        quantity = "" if line.kind in ("minimum", "discount") else f"{line.quantity_text}{unit}"
        rows.append((line.name, quantity, line.money(line.amount), line.money(line.tax)))
        notes.append([step.text for step in line.derivation])
    rows.append(("Subtotal", "", plain(rated.subtotal, rated.currency), plain(rated.tax, rated.currency)))
    rows.append(("Total", "", plain(rated.total, rated.currency), ""))
    notes += [[], []]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row, steps in zip(rows, notes, strict=True):
        if row[0] == "Subtotal":
            yield "-" * (sum(widths) + 6)
        cells = (row[0].ljust(widths[0]), *(row[column].rjust(widths[column]) for column in (1, 2, 3)))
        yield "  ".join(cells).rstrip()
        yield from (f"    {step}" for step in steps)
    yield ""
    yield from _calls_told(priced)
    yield from (f"Look again: {problem}" for problem in warnings_of(terms))


def _calls_told(priced: Quote) -> Iterator[str]:
    yield f"Calls: {priced.received} received, {priced.billable} billed"
    for reason, number in priced.not_billable.items():
        yield f"    {number}  {reason_in_words(reason)}"
    if priced.outside:
        yield f"    {priced.outside} more are not of this period and do not count here"
    starts = priced.terms.effective_from
    if priced.period.first_day < starts < priced.period.end_day:
        yield f"The contract takes effect on {starts}; --from {starts} prices only the days from then on"
    elif starts >= priced.period.end_day:
        yield f"The contract takes effect on {starts}, after this period; this is what it would have cost"
