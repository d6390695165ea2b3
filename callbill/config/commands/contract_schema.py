"""`callbill contract-schema`: the JSON Schema of a contract."""

from __future__ import annotations

import argparse
import json

from callbill.rules.document import json_schema

HELP = "print the JSON Schema of a contract"
NEEDS_DJANGO = False


def configure(parser: argparse.ArgumentParser) -> None:
    """No options."""


def run(args: argparse.Namespace) -> int:
    """Print the schema; it describes the JSON image, and the TOML file with dates for their text."""
    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return 0
