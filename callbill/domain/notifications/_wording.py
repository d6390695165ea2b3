"""One message, written twice with the same words: as plain text and as HTML."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from django.conf import settings
from django.template.loader import render_to_string

SUBJECT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Message:
    """What is said. `facts` are label and value; `action` is a label and a path such as "/invoices/X-1/"."""

    subject: str
    headline: str
    paragraphs: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    action: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The message as it is sent."""

    subject: str
    text: str
    html: str


def write(message: Message, *, seller_name: str, seller_email: str) -> Written:
    """Subject, text and HTML of a message.

    Line breaks and control characters inside the given strings become spaces, so that a customer's name
    can neither add a header nor a line; HTML is escaped; the action's path becomes an absolute address.
    """
    context = {
        "headline": one_line(message.headline),
        "paragraphs": [one_line(paragraph) for paragraph in message.paragraphs],
        "facts": [(one_line(label), one_line(value)) for label, value in message.facts],
        "action": _absolute(message.action),
        "seller_name": one_line(seller_name),
        "seller_email": one_line(seller_email),
    }
    text = render_to_string("notifications/message.txt", context)
    html = render_to_string("notifications/message.html", context)
    return Written(
        subject=one_line(message.subject)[:SUBJECT_LENGTH],
        text=_without_empty_runs(text),
        html=html,
    )


def one_line(text: str) -> str:
    """The text on one line: control, line-breaking and text-direction characters become single spaces."""
    kept = (" " if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else c for c in text)
    return " ".join("".join(kept).split())


def _absolute(action: tuple[str, str] | None) -> tuple[str, str] | None:
    if action is None:
        return None
    label, path = action
    if not path.startswith("/"):
        raise ValueError(f"the action's path starts with a slash: {path!r}")
    return one_line(label), f"{settings.CALLBILL_BASE_URL}{path}"


def _without_empty_runs(text: str) -> str:
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines).strip() + "\n"
