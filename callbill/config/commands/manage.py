"""`callbill manage ...`: Django's own commands, for developers."""

from __future__ import annotations

import argparse

HELP = "Django's own management commands, for developers"
NEEDS_DJANGO = True


def configure(parser: argparse.ArgumentParser) -> None:
    """Everything after `manage` goes to Django."""
    parser.add_argument("words", nargs=argparse.REMAINDER)


def run(args: argparse.Namespace) -> int:
    """Hand over."""
    from django.core.management import execute_from_command_line

    execute_from_command_line(["callbill manage", *args.words])
    return 0
