"""Who may read what was sent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbill.domain.customers.models import BillableEntity
from callbill.domain.customers.queries import NotFound
from callbill.domain.notifications import queries
from callbill.domain.notifications.models import Notification
from callbill.domain.notifications.operations import Message, tell
from tests.domain import world
from tests.domain.notifications.conftest import NOW

pytestmark = pytest.mark.django_db


def told(payer: BillableEntity, subject: str, minutes: int = 0) -> None:
    tell(
        key=subject,
        kind="test",
        payer_id=payer.id,
        message=Message(subject=subject, headline=subject),
        now=NOW + timedelta(minutes=minutes),
    )


def test_each_person_sees_what_was_sent_to_payers_they_may_see() -> None:
    harbor = world.organization()
    east = world.company("east", "East Harbor", of=harbor)
    acme = world.company()
    told(world.payer_of(east), "to harbor")
    told(world.payer_of(acme), "to acme", minutes=1)

    def seen(**role: object) -> list[str]:
        who = world.viewer(f"p{len(seen_by)}@x.example", **role)
        seen_by.append(who)
        return [shown.subject for shown in queries.sent_to(who)]

    seen_by: list[object] = []
    assert seen(organization=harbor) == ["to harbor"]
    assert seen(company=acme) == ["to acme"]
    assert seen(company=east) == []  # its organization's mail is not its own
    assert seen() == []
    assert seen(staff=True) == ["to acme", "to harbor"]


def test_one_payer_newest_first_in_pages() -> None:
    acme = world.company()
    staff = world.viewer("staff@cic.example", staff=True)
    told(world.payer_of(world.company("other", "Other")), "elsewhere")
    for number in range(30):
        told(world.payer_of(acme), f"message {number}", minutes=number)
    first = queries.sent_to(staff, payer_id=world.payer_of(acme).id)
    assert [shown.subject for shown in first] == [f"message {number}" for number in range(29, 4, -1)]
    assert (first.paginator.count, first.has_next()) == (30, True)
    last = queries.sent_to(staff, payer_id=world.payer_of(acme).id, page=99)
    assert [shown.subject for shown in last] == [f"message {number}" for number in range(4, -1, -1)]


def test_a_strangers_message_is_not_found() -> None:
    acme, other = world.company(), world.company("other", "Other")
    told(world.payer_of(acme), "to acme")
    row = Notification.objects.get()
    assert queries.message(world.viewer("a@acme.example", company=acme), row.id).subject == "to acme"
    with pytest.raises(NotFound):
        queries.message(world.viewer("b@other.example", company=other), row.id)


def test_its_state_is_said_in_words() -> None:
    acme = world.company()
    told(world.payer_of(acme), "to acme")
    viewer = world.viewer("a@acme.example", company=acme)

    def state() -> str:
        return queries.sent_to(viewer)[0].state

    assert state() == "On its way"
    Notification.objects.update(problem="OSError: refused", tries=1)
    assert state() == "Not sent yet"
    Notification.objects.update(sent_at=NOW, problem="")
    assert state() == "Sent"
