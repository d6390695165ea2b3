"""The sandbox's own README says all of what it has: endpoints, cards, switches, faults, chaos, flags."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path

import stripe_sandbox
from stripe_sandbox import __main__ as program
from stripe_sandbox import bank, chaos, control, faults
from stripe_sandbox.cards import CARDS
from stripe_sandbox.pipeline import _MODULES

ROOM = Path(stripe_sandbox.__file__).parent
README = (ROOM / "README.md").read_text("utf-8")


def test_every_endpoint_is_there() -> None:
    table = README.split("## What it answers")[1].split("With form decoding")[0]
    rows = re.findall(r"^\| (`.+?) \|(.*)\|$", table, re.MULTILINE)
    listed = {path for names, _ in rows for path in re.findall(r"`([^`]+)`", names)}
    actions = {
        path: re.findall(r"`(/[a-z]+)`", text)
        for names, text in rows
        for path in re.findall(r"`([^`]+)`", names)
    }
    for module in _MODULES:
        for endpoint in module.ENDPOINTS:
            path = endpoint.path.removeprefix("/v1/")
            owner, _, action = path.rpartition("/")
            found = path in listed or f"/{action}" in actions.get(owner, []) or f".../{action}" in listed
            assert found, endpoint.path


def test_every_card_is_there() -> None:
    table = README.split("### Cards")[1].split("## Switches")[0]
    assert {card.number for card in CARDS} == set(re.findall(r"\b\d{15,16}\b", table))


def test_every_fault_and_every_kind_of_chaos_is_there() -> None:
    weather, storms = README.split("### Faults")[1].split("### Chaos")
    assert set(faults.ACTIONS) == set(re.findall(r"`(\w+)`", " ".join(_first_cells(weather))))
    storms = storms.split("## How")[0]
    named = set(re.findall(r"`(\w+)`", " ".join(_first_cells(storms)))) | {"for", "times", "seed"}
    assert set(chaos._DEFAULTS) == named
    assert all(f"`{name}`" in storms for name in chaos._DEFAULTS)


def _first_cells(text: str) -> list[str]:
    return re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)


def test_every_switch_is_there() -> None:
    source = inspect.getsource(control.Control) + inspect.getsource(bank.switch)
    words = set(re.findall(r"case (?:\(\"GET\", )?\[\"(\w+)\"", source)) | {"webhooks"}
    assert len(words) > 8
    table = README.split("## Switches")[1].split("### Faults")[0]
    assert {word for word in words if f"/{word}" not in table} == set()


def test_every_flag_is_there() -> None:
    flags = set(re.findall(r'"(--[a-z-]+)"', inspect.getsource(program)))
    assert len(flags) > 5
    assert flags == set(re.findall(r"`(--[a-z-]+)", README.split("| Flag |")[1].split("## In a test")[0]))


def test_every_package_it_needs_is_there() -> None:
    """What the code imports and neither Python nor the sandbox itself brings."""
    imported = {
        name.partition(".")[0]
        for file in ROOM.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        for name in _imported(node)
    }
    assert imported - sys.stdlib_module_names == {"httptools"}
    assert "needs Python 3.11 and one package beside it, httptools." in README


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    return [str(node.module)] if isinstance(node, ast.ImportFrom) and not node.level else []


def test_every_module_named_there_exists() -> None:
    named = set(re.findall(r"`(\w+\.py)`", README))
    assert len(named) > 10
    assert {name for name in named if not (ROOM / name).exists()} == set()
