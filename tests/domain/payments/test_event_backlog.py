"""A Stripe that gives no answer does not hold up the minute: the messages that wait go on waiting."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbill.domain.payments import operations
from callbill.domain.payments.gateway import OutcomeUnknown, TryLater
from callbill.domain.payments.models import GatewayEvent, StaffAlert
from callbill.domain.payments.operations import _events
from tests.domain.world import at

pytestmark = pytest.mark.django_db
NOW = at("2026-06-02T03:15")


class Stripe:
    """Answers or does not, and remembers how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silent: Exception | None = OutcomeUnknown("no answer")
        self.answers_to: set[str] = set()

    def __call__(self, reference: str, now: object) -> None:
        self.asked.append(reference)
        if self.silent and reference not in self.answers_to:
            raise self.silent


@pytest.fixture
def stripe(monkeypatch: pytest.MonkeyPatch) -> Stripe:
    made = Stripe()
    monkeypatch.setitem(_events._HANDLERS, "payment_method.updated", made)
    rows = [
        GatewayEvent(
            event_id=f"evt_{number}",
            kind="payment_method.updated",
            object_id=f"re_{number}",
            received_at=NOW + timedelta(seconds=number),
        )
        for number in range(5)
    ]
    GatewayEvent.objects.bulk_create(rows)
    return made


def tries() -> list[int]:
    return list(GatewayEvent.objects.order_by("received_at").values_list("tries", flat=True))


@pytest.mark.parametrize("silence", [OutcomeUnknown("no answer"), TryLater("too busy")])
def test_after_three_silences_the_rest_waits_untouched(stripe: Stripe, silence: Exception) -> None:
    stripe.silent = silence
    assert operations.handle_events(now=NOW) == 0
    assert stripe.asked == ["re_0", "re_1", "re_2"]
    assert tries() == [1, 1, 1, 0, 0]
    assert GatewayEvent.objects.filter(handled_at=None, flagged_at=None).count() == 5
    stripe.silent = None
    # The two that were not asked about have no wait before them.
    assert operations.handle_events(now=NOW) == 2
    assert operations.handle_events(now=NOW + timedelta(minutes=1)) == 3
    assert not GatewayEvent.objects.filter(handled_at=None).exists()


def test_what_asks_nothing_is_no_answer(stripe: Stripe) -> None:
    """Between the messages that matter come others, such as a payment's creation."""
    for number in range(4):
        GatewayEvent.objects.create(
            event_id=f"evt_between_{number}",
            kind="payment_intent.created",
            object_id=f"pi_{number}",
            received_at=NOW + timedelta(seconds=number, milliseconds=500),
        )
    operations.handle_events(now=NOW)
    assert stripe.asked == ["re_0", "re_1", "re_2"]


def test_one_thing_that_is_not_answered_stops_nobody(stripe: Stripe) -> None:
    GatewayEvent.objects.exclude(event_id="evt_4").update(object_id="re_0")
    stripe.answers_to = {"re_4"}
    assert operations.handle_events(now=NOW) == 1
    assert stripe.asked == ["re_0"] * 4 + ["re_4"]


def test_an_answer_in_between_begins_the_count_anew(stripe: Stripe) -> None:
    stripe.answers_to = {"re_2"}
    assert operations.handle_events(now=NOW) == 1
    assert len(stripe.asked) == 5


def test_nobody_is_given_up_sooner_than_alone(stripe: Stripe) -> None:
    """Each message keeps its own ladder, however many wait beside it."""
    later = NOW
    for _ in range(24 * 60):
        operations.handle_events(now=later)
        later += timedelta(minutes=1)
    GatewayEvent.objects.exclude(event_id="evt_0").delete()
    among_others = GatewayEvent.objects.get().tries
    GatewayEvent.objects.update(tries=0, try_after=None, flagged_at=None)
    later = NOW
    for _ in range(24 * 60):
        operations.handle_events(now=later)
        later += timedelta(minutes=1)
    assert among_others <= GatewayEvent.objects.get().tries


def test_an_answer_says_that_the_key_works(stripe: Stripe) -> None:
    """Found by the simulation (seed 96): staff were called for it until the next charge."""
    StaffAlert.objects.create(key="gateway-key", kind="gateway_key", message="-", first_at=NOW, last_at=NOW)
    operations.handle_events(now=NOW)
    assert StaffAlert.objects.filter(settled_at=None).exists()
    stripe.answers_to = {"re_0", "re_3"}
    operations.handle_events(now=NOW + timedelta(minutes=1))
    assert not StaffAlert.objects.filter(settled_at=None).exists()
