"""Answers about people and the audit log."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.paginator import Page, Paginator

from callbill.domain.users.models import StaffAction, User


def staff_actions(*, subject_kind: str = "", subject_id: str = "", limit: int = 100) -> Sequence[StaffAction]:
    """The audit log, newest first; for staff only (the console checks that)."""
    actions = StaffAction.objects.select_related("actor").order_by("-at")
    if subject_kind:
        actions = actions.filter(subject_kind=subject_kind, subject_id=subject_id)
    return list(actions[:limit])


def staff_action_page(*, page: int = 1, size: int = 50) -> Page[StaffAction]:
    """A page of the whole audit log, newest first; a page past the end is the last one. For staff only."""
    actions = StaffAction.objects.select_related("actor").order_by("-at", "-id")
    return Paginator(actions, size).get_page(page)


def user_by_email(email: str) -> User | None:
    """The user with this address, whatever its case."""
    return User.objects.filter(email__iexact=email).first()


def staff_addresses() -> list[str]:
    """The e-mail addresses of the staff who are active."""
    staff = User.objects.filter(is_staff=True, is_active=True).exclude(email="")
    return list(staff.order_by("email").values_list("email", flat=True))
