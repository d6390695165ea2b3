"""The code keeps the rules of the house."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.house import rules_of_the_house as rules
from tests.house.rules_of_the_house import ROOT, sources

ALL = ("callbill", "stripe_sandbox", "tests")
DOMAIN = sorted(path for path in (ROOT / "callbill" / "domain").iterdir() if (path / "__init__.py").exists())


def breaches(rule: Callable[[str, str], list[str]], *folders: str) -> list[str]:
    """What `rule` finds in the Python files of the folders."""
    return [breach for source in sources(*folders) for breach in rule(*source)]


def test_imports_keep_to_the_contracts() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_and_functions_are_short() -> None:
    assert breaches(rules.too_long, *ALL) == []


def test_modules_are_named_for_what_is_in_them() -> None:
    paths = [path for path, _ in sources(*ALL)]
    assert len(paths) > 50
    assert [breach for path in paths for breach in rules.meaningless_name(path)] == []


def test_time_comes_in_at_the_edge() -> None:
    assert breaches(rules.asks_the_time, "callbill") == []


def test_no_float_near_money() -> None:
    assert breaches(rules.floats, "callbill/rules", "callbill/domain") == []


def test_what_others_call_is_documented() -> None:
    doors = ("/rules/", "/lib/", "/operations", "/queries")
    read = [(path, text) for path, text in sources("callbill") if any(door in path for door in doors)]
    assert len(read) > 20
    assert [breach for source in read for breach in rules.undocumented(*source)] == []


@pytest.mark.parametrize("room", DOMAIN, ids=lambda room: room.name)
def test_a_room_says_what_it_owns_and_nothing_else(room: Path) -> None:
    assert rules.bad_door(f"{room.name}/__init__.py", (room / "__init__.py").read_text()) == []


def test_operations_are_called_by_name() -> None:
    read = [(path, text) for path, text in sources("callbill/domain") if path.endswith("/operations.py")]
    assert read
    assert [breach for source in read for breach in rules.operations_by_position(*source)] == []


def test_templates_keep_to_the_content_security_policy() -> None:
    templates = [path for folder in ALL for path in (ROOT / folder).rglob("*.html")]
    # Mail programs know only inline styles, and have no policy.
    pages = [path for path in templates if "notifications" not in path.parts]
    assert pages
    assert [breach for page in pages for breach in rules.unsafe_markup(page.name, page.read_text())] == []


def test_no_test_is_skipped() -> None:
    assert breaches(rules.untested_by_choice, "tests") == []


@pytest.mark.django_db
def test_models_and_migrations_agree() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
