"""Which of the SDK's types an address belongs to, read from the source of its generated services.

`/v1/refunds/{refund}` with POST is `RefundService.update`, so its parameters are `RefundUpdateParams` and its
answer a `Refund`. Nothing is written down by hand: a new SDK brings its own table.
"""

from __future__ import annotations

import ast
import functools
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stripe

_SDK = Path(stripe.__file__).parent


@dataclass(frozen=True)
class Call:
    """One call the SDK knows: its parameters' TypedDict (None: takes none) and what it answers."""

    method: str
    path: re.Pattern[str]
    params: Any
    answer: Any
    listed: bool


def find(method: str, path: str) -> Call | None:
    """The SDK's call for a request, or None when it has none."""
    parts = path.strip("/").split("/")
    if len(parts) < 2 or parts[0] != "v1":
        return None
    fitting = [call for call in _calls(parts[1]) if call.method == method and call.path.fullmatch(path)]
    # A fixed word beats a placeholder: /v1/customers/search is no customer called "search".
    return min(fitting, key=lambda call: call.path.pattern.count("[^/]+"), default=None)


@functools.cache
def _sources() -> dict[Path, str]:
    return {file: file.read_text("utf-8") for file in sorted(_SDK.rglob("_*_service.py"))}


@functools.cache
def _calls(first: str) -> list[Call]:
    """Every call whose address begins with /v1/`first`."""
    wanted = f'"/v1/{first}'
    return [call for text in _sources().values() if wanted in text for call in _calls_in(ast.parse(text))]


def _calls_in(tree: ast.Module) -> Iterator[Call]:
    modules = {
        name.asname or name.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for name in node.names
    }
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        request = _request_in(function)
        if request is None or not isinstance(function.returns, ast.Constant):
            continue
        method, template = request
        listed, name = _unlisted(str(function.returns.value))
        given = next((argument for argument in function.args.args if argument.arg == "params"), None)
        params = _text_in(given.annotation) if given else None
        yield Call(
            method.upper(),
            re.compile(re.sub(r"\{\w+\}", "[^/]+", template)),
            _named(params, modules) if params else None,
            _named(name, modules),
            listed,
        )


def _request_in(function: ast.FunctionDef) -> tuple[str, str] | None:
    """Method and address of the `self._request(...)` in a function."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self._request":
            method, path = _text_in(node.args[0]), _text_in(node.args[1])
            if method and path:
                return method, path
    return None


def _text_in(node: ast.AST | None) -> str | None:
    """The first text constant inside an expression."""
    found = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant)) if node else iter(())
    return next((value for value in found if isinstance(value, str)), None)


def _unlisted(annotation: str) -> tuple[bool, str]:
    found = re.fullmatch(r"(?:ListObject|SearchResultObject)\[(\w+)\]", annotation)
    return (True, found[1]) if found else (False, annotation)


def _named(name: str, modules: dict[str, str]) -> Any:
    return getattr(importlib.import_module(modules[name]), name) if name in modules else Any
