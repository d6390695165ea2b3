"""Form bodies and query strings as Stripe reads them: `a[b][0][c]=1` becomes nested values."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_plus

from .errors import invalid

_KEY = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_PART = re.compile(r"\[([^\[\]]*)\]")
MAX_DEPTH = 8
_MOST = 5000


def decode(text: str) -> dict[str, Any]:
    """Nested dictionaries and lists of strings from form-encoded `text`; 400 when keys contradict."""
    tree: dict[str, Any] = {}
    if text.count("&") >= _MOST:
        raise invalid(f"A request can have up to {_MOST} parameters.")
    for piece in text.split("&") if text else ():
        name, _, value = piece.partition("=")
        if not piece:
            continue
        name, value = _plain(name), _plain(value)
        found = _KEY.match(name)
        if not found:
            raise invalid(f"Invalid parameter name: {name}", param=name)
        path = [found[1], *_PART.findall(found[2])]
        if len(path) > MAX_DEPTH:
            raise invalid(f"Parameter nested too deeply: {name}", param=name)
        _place(tree, path, value, name)
    return {key: _with_lists(value) for key, value in tree.items()}


def _plain(text: str) -> str:
    return unquote_plus(text) if "%" in text or "+" in text else text


def _place(tree: dict[str, Any], path: list[str], value: str, name: str) -> None:
    node = tree
    for at, part in enumerate(path[:-1]):
        child = node.setdefault(part or _item(node, path[at + 1]), {})
        if not isinstance(child, dict):
            raise invalid(f"Invalid parameter: {name} is given both as a value and as a hash", param=name)
        node = child
    last = path[-1] or str(len(node))
    if isinstance(node.get(last), dict):
        raise invalid(f"Invalid parameter: {name} is given both as a value and as a hash", param=name)
    node[last] = value


def _item(node: dict[str, Any], field: str) -> str:
    """Which item of a list `[]` is about: the last one, until that has the field already."""
    last = node.get(str(len(node) - 1))
    return str(len(node) - 1) if field and isinstance(last, dict) and field not in last else str(len(node))


def _with_lists(value: Any) -> Any:
    """A dictionary whose keys are 0, 1, 2, ... without a gap is a list."""
    if not isinstance(value, dict):
        return value
    if value and all(str(at) in value for at in range(len(value))):
        return [_with_lists(value[str(at)]) for at in range(len(value))]
    return {key: _with_lists(item) for key, item in value.items()}
