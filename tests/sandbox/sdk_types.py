"""The official SDK's classes as the specification: is this JSON what they declare? May Stripe be asked this?

The SDK is generated from Stripe's OpenAPI description of exactly the version it speaks.
"""

from __future__ import annotations

import functools
import re
import types
import typing
from typing import Any, Literal, Union, get_args, get_origin

import stripe
import typing_extensions
from stripe import ListObject, StripeObject
from stripe._request_options import RequestOptions
from stripe._stripe_object import UntypedStripeObject

_ALIASES = {"CardResource": stripe.Card, "DisputeResource": stripe.Dispute}


def _class_named(name: str) -> Any:
    """The SDK's public class of that name; classes it does not publish are not checked."""
    return _ALIASES.get(name) or getattr(stripe, name, Any)


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, annotation in cls.__annotations__.items():
        if typing.get_origin(annotation) is not typing.ClassVar:
            found[name] = _resolve(annotation)
    return found


def _resolve(annotation: Any) -> Any:
    """The annotation with its forward references replaced by classes."""
    if isinstance(annotation, typing.ForwardRef):
        return _class_named(annotation.__forward_arg__)
    if isinstance(annotation, str):
        return _class_named(annotation)
    arguments = get_args(annotation)
    if not arguments or get_origin(annotation) is Literal:
        return annotation
    return (get_origin(annotation), tuple(_resolve(argument) for argument in arguments))


def response_errors(value: Any, cls: type, path: str = "") -> list[str]:
    """What is wrong with `value` as an answer of class `cls`: unknown, missing or mistyped properties."""
    where = path or cls.__name__
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is not an object"]
    hints = _hints(cls)
    errors = [f"{where}.{name}: unknown property" for name in value if name not in hints]
    for name, hint in hints.items():
        if name in value:
            errors += _errors(value[name], hint, f"{where}.{name}")
        elif not _optional(hint):
            errors.append(f"{where}.{name}: missing")
    return errors


def _optional(hint: Any) -> bool:
    return hint is Any or (isinstance(hint, tuple) and hint[0] is Union and type(None) in hint[1])


def _errors(value: Any, hint: Any, path: str) -> list[str]:
    if hint is Any:
        return []
    if isinstance(hint, tuple):
        return _generic_errors(value, hint[0], hint[1], path)
    if get_origin(hint) is Literal:
        return [] if value in get_args(hint) else [f"{path}: {value!r} is none of the allowed words"]
    if hint is type(None):
        return [] if value is None else [f"{path}: {value!r} is not null"]
    if isinstance(hint, type) and issubclass(hint, StripeObject):
        if hint is UntypedStripeObject:
            return [] if isinstance(value, dict) else [f"{path}: {value!r} is not an object"]
        return response_errors(value, hint, path)
    if hint in (str, int, bool, float):
        good = type(value) is hint or (hint is float and type(value) is int)
        return [] if good else [f"{path}: {value!r} is not {hint.__name__}"]
    raise TypeError(f"{path}: cannot check {hint!r}")


def _generic_errors(value: Any, origin: Any, arguments: tuple[Any, ...], path: str) -> list[str]:
    if origin is Union:
        words = [argument for argument in arguments if get_origin(argument) is Literal]
        # Literal | str is an open list of words: hold ours to the words that are known.
        options = [argument for argument in arguments if not (argument is str and words)]
        tries = [_errors(value, option, path) for option in options]
        return [] if any(not errors for errors in tries) else min(tries, key=_severity)
    if origin is list:
        if not isinstance(value, list):
            return [f"{path}: {value!r} is not a list"]
        return [
            error for at, item in enumerate(value) for error in _errors(item, arguments[0], f"{path}[{at}]")
        ]
    if origin is dict or origin is UntypedStripeObject:
        return [] if isinstance(value, dict) else [f"{path}: {value!r} is not an object"]
    if origin is ListObject:
        if not isinstance(value, dict) or value.keys() - {"object", "data", "has_more", "url"}:
            return [f"{path}: not a list object"]
        return [error for item in value["data"] for error in _errors(item, arguments[0], f"{path}.data")]
    raise TypeError(f"{path}: cannot check {origin!r}")


def _severity(errors: list[str]) -> tuple[bool, int]:
    """Of several failed readings, the one that got furthest speaks."""
    return (any(error.endswith(("not null", "not str")) for error in errors), len(errors))


@functools.cache
def parameter_names(cls: Any) -> dict[str, Any]:
    """The parameters a TypedDict of stripe.params knows, with their types."""
    hints = typing.get_type_hints(cls, localns={**vars(typing), "StripeContext": Any})
    return {name: hint for name, hint in hints.items() if name not in RequestOptions.__annotations__}


def typed_dicts_in(hint: Any) -> list[Any]:
    """The TypedDicts a parameter's type mentions."""
    if typing_extensions.is_typeddict(hint):
        return [hint]
    return [found for argument in get_args(hint) for found in typed_dicts_in(argument)]


def words_in(hint: Any) -> set[str]:
    """The words a parameter's type allows."""
    if get_origin(hint) is Literal:
        return {word for word in get_args(hint) if isinstance(word, str)}
    return {word for argument in get_args(hint) for word in words_in(argument)}


# requests, as they stand in forms


def request_errors(given: Any, cls: Any, path: str = "") -> list[str]:
    """What is wrong with decoded parameters (texts, lists, dicts) for `cls`, a TypedDict of stripe.params."""
    where = path or cls.__name__
    if not isinstance(given, dict):
        return [f"{where}: {given!r} is not a hash"]
    known = parameter_names(cls)
    errors = [f"{where}.{name}: missing" for name in sorted(cls.__required_keys__ - given.keys())]
    for name, value in given.items():
        if name not in known:
            errors.append(f"{where}.{name}: unknown parameter")
        else:
            errors += _given_errors(value, known[name], f"{where}.{name}")
    return errors


def _given_errors(value: Any, hint: Any, path: str) -> list[str]:
    """A value from a form against a parameter's type; open lists of words are held to the known ones."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return []
    if origin is Union or isinstance(hint, types.UnionType):
        words = [each for each in arguments if get_origin(each) is Literal]
        options = [
            each for each in arguments if not (each is str and any(len(get_args(w)) > 1 for w in words))
        ]
        tries = [_given_errors(value, option, path) for option in options]
        return [] if any(not errors for errors in tries) else min(tries, key=len)
    if typing_extensions.is_typeddict(hint):
        return request_errors(value, hint, path)
    if origin is Literal:
        return (
            [] if value in [_written(each) for each in arguments] else [f"{path}: {value!r} is no such word"]
        )
    if origin is list:
        if not isinstance(value, list):
            return [f"{path}: {value!r} is not a list"]
        return [error for item in value for error in _given_errors(item, arguments[0], f"{path}[]")]
    if origin in (dict, UntypedStripeObject):
        # Keys that are numbers look like a list in a form.
        items = value.values() if isinstance(value, dict) else value
        good = isinstance(value, (dict, list)) and all(isinstance(item, str) for item in items)
        return [] if good else [f"{path}: {value!r} is not a hash of texts"]
    if hint in _WRITTEN:
        good = isinstance(value, str) and bool(_WRITTEN[hint].fullmatch(value))
        return [] if good else [f"{path}: {value!r} is not {hint.__name__}"]
    if hint is type(None):
        return [f"{path}: {value!r} where nothing may stand"]
    raise TypeError(f"{path}: cannot check {hint!r}")


_WRITTEN = {
    str: re.compile(r".*", re.S),
    int: re.compile(r"-?\d+"),
    bool: re.compile(r"true|false"),
    float: re.compile(r"-?\d+(\.\d+)?"),
}


def _written(word: Any) -> Any:
    """A literal as it stands in a form."""
    return str(word).lower() if isinstance(word, bool) else word
