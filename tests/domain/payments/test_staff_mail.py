"""Staff are written to about what only they can mend: once when it is raised, once when it is back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbill.domain.notifications.models import Notification
from callbill.domain.notifications.queries import sent_to
from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import StaffAlert
from callbill.domain.users.models import User
from callbill.jobs import work
from tests.domain import world

pytestmark = pytest.mark.django_db
NOW = world.at("2026-02-10T15:00")
DAY = timedelta(days=1)


@pytest.fixture
def staff() -> None:
    world.person("sam@cic.example", staff=True)
    world.person("sue@cic.example", staff=True)
    gone = world.person("gus@cic.example", staff=True)
    User.objects.filter(id=gone.id).update(is_active=False)
    world.person("ann@acme.example")


def raise_it(now: object = NOW, key: str = "gateway-key") -> None:
    payments.alert_staff(key=key, kind="gateway_key", message="The key is refused.", now=now)  # type: ignore[arg-type]


def mails() -> list[tuple[str, str]]:
    rows = Notification.objects.filter(kind="staff_alert").order_by("created_at", "recipient")
    return [(row.recipient, f"{row.created_at:%d %H}") for row in rows]


def test_every_active_member_of_staff_is_written_to_once(staff: None) -> None:
    raise_it()
    assert payments.mail_staff(now=NOW) == 1
    assert mails() == [("sam@cic.example", "10 15"), ("sue@cic.example", "10 15")]
    row = Notification.objects.first()
    assert row is not None
    assert row.subject == "For us to mend: Gateway key"
    assert "The key is refused." in row.body_text
    assert "/console/" in row.body_text
    assert row.payer is None
    raise_it(NOW + timedelta(minutes=1))
    raise_it(NOW + 2 * DAY)
    assert payments.mail_staff(now=NOW + 2 * DAY) == 0, "it is the same matter still"
    assert len(mails()) == 2


def test_what_comes_back_after_it_was_settled_is_told_again_but_not_twice_a_day(staff: None) -> None:
    raise_it()
    payments.mail_staff(now=NOW)
    payments.settle_alerts(kind="gateway_key", now=NOW + timedelta(hours=1))
    raise_it(NOW + timedelta(hours=2))
    payments.mail_staff(now=NOW + timedelta(hours=2))
    assert len(mails()) == 2, "once a day is enough"
    payments.settle_alerts(kind="gateway_key", now=NOW + timedelta(hours=3))
    raise_it(NOW + DAY)
    payments.mail_staff(now=NOW + DAY)
    assert mails()[2:] == [("sam@cic.example", "11 15"), ("sue@cic.example", "11 15")]


def test_each_matter_has_its_own_mail_and_settled_ones_none(staff: None) -> None:
    raise_it(key="one")
    raise_it(key="two")
    StaffAlert.objects.filter(key="one").update(settled_at=NOW)
    assert payments.mail_staff(now=NOW) == 1
    assert len(mails()) == 2


def test_it_goes_out_with_the_other_mail_and_no_customer_reads_it(
    staff: None, settings: pytest.FixtureRequest
) -> None:
    raise_it()
    payments.mail_staff(now=NOW)
    assert work.deliver(now=NOW) == 2
    assert not Notification.objects.filter(sent_at=None).exists()
    assert list(sent_to(world.viewer("bob@cic.example", staff=True)).object_list) == []
