"""`callbill migrate`: bring the database to this version."""

from __future__ import annotations

import argparse

HELP = "bring the database to this version"
NEEDS_DJANGO = True


def configure(parser: argparse.ArgumentParser) -> None:
    """No options."""


def run(args: argparse.Namespace) -> int:
    """Apply migrations and make the cache table."""
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)
    print("The database is up to date.")
    return 0
