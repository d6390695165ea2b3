"""The `callbill` command: finds a subcommand's module, brings up what it needs, runs it."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from types import ModuleType

COMMANDS = (
    "demo",
    "serve",
    "worker",
    "migrate",
    "load-customers",
    "import-calls",
    "run-billing",
    "quote",
    "backtest",
    "verify-invoice",
    "reconcile",
    "contract-schema",
    "doctor",
    "simulate",
    "manage",
)


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand; the answer is the exit code (0 done, 1 could not, 2 wrong usage)."""
    arguments = sys.argv[1:] if argv is None else argv
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    parser = argparse.ArgumentParser(prog="callbill", description="Self-hosted billing for handled calls.")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    module: ModuleType | None = None
    for name in COMMANDS:
        # Only the chosen command's module is imported in full: `quote` answers without loading Django.
        loaded = _module(name) if chosen in (name, None) else None
        help_line = getattr(loaded, "HELP", None)
        subparser = subparsers.add_parser(name, help=help_line, description=help_line)
        if loaded is not None and chosen == name:
            loaded.configure(subparser)
            module = loaded
    parsed = parser.parse_args(arguments)
    assert module is not None
    if module.NEEDS_DJANGO:
        start_django()
    try:
        return int(module.run(parsed))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0


def start_django() -> None:
    """Make sure of a database address and set Django up."""
    from callbill.config.embedded import put_into_environment

    put_into_environment()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callbill.config.settings")
    import django

    django.setup()


def _module(name: str) -> ModuleType:
    return importlib.import_module("callbill.config.commands." + name.replace("-", "_"))


if __name__ == "__main__":
    sys.exit(main())
