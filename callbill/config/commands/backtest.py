"""`callbill backtest`: what companies would have paid under a draft contract, writing nothing."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callbill.config.commands.run_billing import moment

if TYPE_CHECKING:
    from callbill.domain.invoicing.queries import Backtest
    from callbill.rules.problem import Problem

HELP = "what companies would have paid under a draft contract in their last periods, writing nothing"
NEEDS_DJANGO = True


def configure(parser: argparse.ArgumentParser) -> None:
    """A contract file, whom to try it on, how far back."""
    parser.add_argument("contract", type=Path, help="the draft contract version (TOML)")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--company", metavar="KEY", action="append", help="a company; may be repeated")
    which.add_argument("--all", action="store_true", help="every company that the draft fits")
    parser.add_argument("--months", type=int, default=12, help="how many closed periods (default 12)")
    parser.add_argument("--now", type=moment, help="as of this moment (UTC without an offset)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="answer in JSON")
    form.add_argument("--csv", action="store_true", help="answer as CSV, a row for each company and period")


def run(args: argparse.Namespace) -> int:
    """Print the table, or every reason why there is none on standard error. 0 done, 1 not."""
    from callbill.domain.customers.queries import company_keys
    from callbill.domain.invoicing.queries import BacktestRefused, backtest, read_draft
    from callbill.lib import clock
    from callbill.rules.problem import Problem

    problems: list[Problem] = []
    try:
        terms, warnings = read_draft(args.contract.read_bytes())
    except OSError as error:
        problems.append(Problem("", f"cannot be read: {error.strerror or error}"))
    except BacktestRefused as refused:
        problems += refused.problems
    problems = [Problem(f"{args.contract}, {p.path}".rstrip(", "), p.message) for p in problems]
    ids = company_keys()
    for key in dict.fromkeys(args.company or ()):
        if key not in ids:
            problems.append(Problem("--company", f"there is no company {key}; see the keys in the console"))
    if problems:
        return _refused(args, problems)
    try:
        found = backtest(
            terms=terms,
            company_ids=None if args.all else [ids[key] for key in args.company],
            months=args.months,
            now=args.now or clock.now(),
        )
    except BacktestRefused as refused:
        return _refused(args, refused.problems)
    for warning in warnings:
        print(f"Look again: {args.contract}, {warning}", file=sys.stderr)
    for left in found.left_out:
        print(f"Left out: {left.company_name} {left.reason}.", file=sys.stderr)
    if args.json:
        print(json.dumps(_answer(found), ensure_ascii=False))
    elif args.csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(found.table())
    else:
        print("\n".join(_page(found)))
    return 0


def _refused(args: argparse.Namespace, problems: Any) -> int:
    if args.json:
        errors = [{"path": problem.path, "message": problem.message} for problem in problems]
        print(json.dumps({"error": {"errors": errors}}, ensure_ascii=False))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1


def _answer(found: Backtest) -> dict[str, Any]:
    """The JSON image; amounts are decimal strings in major units."""
    columns, *rows = found.table()
    lines = [
        [
            {
                "kind": line.kind,
                "charge": line.charge,
                "name": line.name,
                "paid": line.paid.text if line.paid else None,
                "would_pay": line.would_pay.text if line.would_pay else None,
            }
            for line in row.lines
        ]
        for row in found.rows
    ]
    return {
        "currency": found.currency,
        "paid": found.paid.text,
        "would_pay": found.would_pay.text,
        "difference": found.difference.text,
        "rows": [
            {**dict(zip(columns, row, strict=True)), "lines": own}
            for row, own in zip(rows, lines, strict=True)
        ],
        "left_out": [{"company": left.company_key, "reason": left.reason} for left in found.left_out],
    }


def _page(found: Backtest) -> list[str]:
    """The table for people: a row for each company and period, a sum for each company, and the total."""
    heads = ("Company", "Period", "Calls", "Paid", "Would pay", "Difference")
    body: list[tuple[str, ...]] = []
    sums = {each.company_key: each for each in found.companies}
    for index, row in enumerate(found.rows):
        paid = row.paid_total.text + ("" if row.invoices else " *")
        calls = f"{row.received:,}"
        amounts = (paid, row.would_pay_total.text, row.difference.text)
        body.append((row.company_key, row.period.label, calls, *amounts))
        ends = index + 1 == len(found.rows) or found.rows[index + 1].company_key != row.company_key
        if ends and (one := sums[row.company_key]).periods > 1:
            sum_of = f"{one.periods} periods"
            body.append((row.company_key, sum_of, "", one.paid.text, one.would_pay.text, one.difference.text))
    body.append(("Total", "", "", found.paid.text, found.would_pay.text, found.difference.text))
    widths = [max(len(row[column].rstrip(" *")) for row in [heads, *body]) for column in range(len(heads))]
    page = [_row(heads, widths), *(_row(row, widths) for row in body), ""]
    page.append(f"Amounts in {found.currency}, tax included. Nothing was written.")
    if any(not row.invoices for row in found.rows):
        page.append("* Nothing was invoiced for this period; it is what the terms in force would give.")
    return page


def _row(cells: tuple[str, ...], widths: list[int]) -> str:
    left = [cell.ljust(width) for cell, width in zip(cells[:2], widths[:2], strict=True)]
    marks = ["*" if cell.endswith("*") else " " for cell in cells[2:]]
    right = [
        cell.rstrip(" *").rjust(width) + mark
        for cell, width, mark in zip(cells[2:], widths[2:], marks, strict=True)
    ]
    return "  ".join([*left, *right]).rstrip()
