"""Whether a parameter of the sandbox is one of Stripe's: its name, its kind of value, its words.

The rules of `stripe_sandbox.schema` against the types of `stripe.params`. Not what an empty text unsets: the
types say that of few of the parameters for which Stripe's reference does.
"""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

import typing_extensions

from stripe_sandbox.schema import (
    Boolean,
    Choice,
    Either,
    Hash,
    Integer,
    Listed,
    Metadata,
    Refused,
    Rule,
    Text,
)

from .sdk_types import parameter_names

# What only Stripe.js sends, with a publishable key: the SDK, on servers, does not know it.
BROWSER = {"client_secret", "key"}
_BROWSER_CARD = ("payment_method_data.card", "payment_method_data.type=card")


def invented(fields: dict[str, Rule], cls: Any, path: str) -> list[str]:
    """Parameters, kinds of value or words that the sandbox takes and the SDK does not know."""
    known = parameter_names(cls)
    found: list[str] = []
    for name, rule in fields.items():
        if isinstance(rule, Refused) or name in BROWSER:
            continue
        if name not in known:
            found.append(f"{path}.{name}")
        else:
            found += wrong_in(rule, known[name], f"{path}.{name}")
    return [each for each in found if not each.endswith(_BROWSER_CARD)]


def wrong_in(rule: Rule, hint: Any, path: str) -> list[str]:
    """What `rule` reads and a parameter of the type `hint` may not be."""
    options = _options(hint)
    if Any in options:
        return []
    words = {word for each in options if get_origin(each) is Literal for word in get_args(each)}
    if isinstance(rule, Either):
        return [error for option in rule.rules for error in wrong_in(option, hint, path)]
    if isinstance(rule, Listed):
        lists = [each for each in options if get_origin(each) is list]
        return wrong_in(rule.of, get_args(lists[0])[0], path) if lists else [f"{path}: no list"]
    if isinstance(rule, Choice) and words - {""}:
        return [f"{path}={word}" for word in rule.words if word not in words]
    if isinstance(rule, (Choice, Text)):
        # A list of words that is open to others is held to the words that are known.
        closed = str not in options or bool(words - {""})
        return [f"{path}: not any text"] if closed else []
    if isinstance(rule, Hash):
        classes = [each for each in options if typing_extensions.is_typeddict(each)]
        inside = [invented(rule.fields, each, path) for each in classes]
        return min(inside, key=len) if inside else [f"{path}: no hash"]
    return [] if _KINDS[type(rule)] in [get_origin(each) or each for each in options] else [f"{path}: {rule}"]


_KINDS: dict[type, Any] = {Integer: int, Boolean: bool, Metadata: dict}


def _options(hint: Any) -> list[Any]:
    if get_origin(hint) in (Union, types.UnionType):
        return [option for each in get_args(hint) for option in _options(each)]
    return [hint]
