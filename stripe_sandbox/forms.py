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
    for part in path[:-1]:
        child = node.setdefault(part or str(len(node)), {})
        if not isinstance(child, dict):
            raise invalid(f"Invalid parameter: {name} is given both as a value and as a hash", param=name)
        node = child
    last = path[-1] or str(len(node))
    if isinstance(node.get(last), dict):
        raise invalid(f"Invalid parameter: {name} is given both as a value and as a hash", param=name)
    node[last] = value


def _with_lists(value: Any) -> Any:
    """A dictionary whose keys are 0, 1, 2, ... is a list."""
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_with_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _with_lists(item) for key, item in value.items()}
