"""What our objects at the other side carry: our ids, and which installation made them.

The environment is frozen in the row whose key makes the object, so that repeating the call under that key
says the same though the setting changed. It is empty in rows from before there was one.
"""

from __future__ import annotations

from uuid import UUID

from django.conf import settings


def environment() -> str:
    """The name of this installation: several may share one account at the other side."""
    return str(settings.CALLBILL_ENVIRONMENT)


def metadata(environment: str, **ids: UUID) -> dict[str, str]:
    """Our ids as metadata, with the environment if there is one; nothing personal."""
    named = {"environment": environment} if environment else {}
    return {**{name: str(value) for name, value in ids.items()}, **named}


def is_elsewhere(environment: str) -> bool:
    """Whether an object that carries this environment was made by another installation."""
    return environment not in ("", str(settings.CALLBILL_ENVIRONMENT))
