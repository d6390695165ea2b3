"""What changes about people, and the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from callbill.domain.users.models import StaffAction, User
from callbill.lib.transactions import in_transaction


class ReasonMissing(Exception):
    """A staff action was asked for without saying why."""


@in_transaction
def record_staff_action(
    *,
    actor_id: UUID,
    action: str,
    subject_kind: str,
    subject_id: str,
    subject_label: str,
    reason: str,
    details: Mapping[str, Any],
    now: datetime,
) -> StaffAction:
    """Write down who did what to what, and why. Raises ReasonMissing for an empty reason."""
    if not reason.strip():
        raise ReasonMissing("Say why: the reason is kept in the audit log.")
    return StaffAction.objects.create(
        actor_id=actor_id,
        action=action,
        subject_kind=subject_kind,
        subject_id=subject_id,
        subject_label=subject_label,
        reason=reason.strip(),
        details=dict(details),
        at=now,
    )


@in_transaction
def ensure_user(*, email: str, name: str, is_staff: bool, password: str | None) -> tuple[User, bool]:
    """Find the user with this address or make one. Returns (user, made).

    An existing user's name and staff flag follow; a password that is set is never overwritten.
    """
    user = User.objects.filter(email__iexact=email.strip()).first()
    if user is None:
        return User.objects.create_user(email, password, name=name, is_staff=is_staff), True
    changed = []
    if user.name != name:
        user.name = name
        changed.append("name")
    if user.is_staff != is_staff:
        user.is_staff = is_staff
        changed.append("is_staff")
    if password and not user.has_usable_password():
        user.set_password(password)
        changed.append("password")
    if changed:
        user.save(update_fields=changed)
    return user, False
