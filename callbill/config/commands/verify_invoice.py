"""`callbill verify-invoice`: recompute issued invoices from stored calls and terms, compare to the cent."""

from __future__ import annotations

import argparse
import sys

HELP = "recompute issued invoices from stored calls and terms and compare to the cent"
NEEDS_DJANGO = True


def configure(parser: argparse.ArgumentParser) -> None:
    """One number, or all."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("number", nargs="?", help="an invoice number")
    which.add_argument("--all", action="store_true", help="every issued invoice")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 when everything agrees, 1 when something differs or the number is unknown."""
    from callbill.domain.invoicing.queries import is_issued, is_void, verify_all, verify_invoice

    if not args.all:
        if not is_issued(args.number):
            print(f"There is no issued invoice {args.number}.", file=sys.stderr)
            return 1
        if is_void(args.number):
            print(f"{args.number} is void: a credit note answers all of it and its calls moved on.")
            print("It is not recomputed.")
            return 0
        results = iter([(args.number, verify_invoice(args.number))])
    else:
        results = verify_all()
    checked = wrong = 0
    for _, differences in results:
        checked += 1
        wrong += bool(differences)
        for difference in differences:  # the first is the one that the others follow from
            print(difference)
        if args.all and sys.stderr.isatty():
            print(f"\r  {checked} checked", end="", file=sys.stderr, flush=True)
    if args.all and sys.stderr.isatty():
        print(file=sys.stderr)
    print(f"{checked} checked, {wrong} with differences.")
    return 1 if wrong else 0
