"""Requests and answers, also the broken ones: no answer, a reset, half a body."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from . import forms

# How an answer ends: as it should; never sent; connection reset before it; reset in the middle of the body.
COMPLETE, SILENT, RESET, HALF = "complete", "silent", "reset", "half"
LARGEST_BODY = 1_000_000


@dataclass
class Request:
    """One HTTP request, read to its end."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    origin: str
    keep_alive: bool = True

    def form(self) -> dict[str, Any]:
        """Parameters of query string and body, decoded as Stripe does."""
        parts = [self.query] if self.query else []
        if self.body:
            parts.append(self.body.decode("utf-8", "replace"))
        return forms.decode("&".join(parts))

    def fields(self) -> dict[str, str]:
        """A simple HTML form's fields."""
        return {name: values[-1] for name, values in parse_qs(self.body.decode("utf-8", "replace")).items()}

    def json(self) -> Any:
        """The JSON body; {} when empty; ValueError when it is not JSON."""
        return json.loads(self.body) if self.body else {}


@dataclass
class Response:
    """One HTTP answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    ending: str = COMPLETE


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer with a JSON body."""
    return Response(status, json.dumps(value, separators=(",", ":")).encode(), headers=headers or {})


def redirect(to: str) -> Response:
    """303: go and look there."""
    return Response(303, headers={"Location": to})
