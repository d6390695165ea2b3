"""Answers about people and the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from callbill.domain.users.models import StaffAction, User


def staff_actions(*, subject_kind: str = "", subject_id: str = "", limit: int = 100) -> Sequence[StaffAction]:
    """The audit log, newest first; for staff only (the console checks that)."""
    actions = StaffAction.objects.select_related("actor").order_by("-at")
    if subject_kind:
        actions = actions.filter(subject_kind=subject_kind, subject_id=subject_id)
    return list(actions[:limit])


def user_by_email(email: str) -> User | None:
    """The user with this address, whatever its case."""
    return User.objects.filter(email__iexact=email).first()


def user_by_id(user_id: UUID) -> User | None:
    """The user with this id."""
    return User.objects.filter(id=user_id).first()
