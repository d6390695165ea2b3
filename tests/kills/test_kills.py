"""A part of the matrix of kills: every point of every piece of work is met, with some of the faults.

The whole of it is `python -m tests.kills`, in `make check-deep`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

from callbill.domain.notifications import _delivery
from callbill.domain.notifications.gateway import MailNotSent
from callbill.domain.notifications.models import Notification
from callbill.domain.payments import _plan, operations
from callbill.domain.payments.operations import _collecting
from callbill.gateways.email import MailGateway
from callbill.gateways.stripe.gateway import StripeGateway
from stripe_sandbox.server import running
from tests.kills.bench import NOW, Bench
from tests.kills.cases import NOBODY, STAFF, Case
from tests.kills.points import install
from tests.kills.walk import Wanted, walk
from tests.kills.work import Work
from tests.kills.works import WORKS

# Walked at every point while staff try too; the others at every tenth case, by their names.
MAIN = ("charging/success", "charging/soft decline", "refunding/success")
# Of these fewer: every case has a world of its own, with many points.
LONG = ("reconciling/late, strange and paid out",)
_SETTINGS = (
    "STRIPE_API_BASE",
    "STRIPE_SECRET_KEY",
    "STRIPE_PUBLISHABLE_KEY",
    "STRIPE_WEBHOOK_SECRETS",
    "MAIL_DELIVERY",
    "MAILBOX_DIR",
    "EMAIL_HOST",
    "EMAIL_PORT",
    "EMAIL_USE_TLS",
)


class Part(Wanted):
    """Cases drawn by their names."""

    def _drawn(self, case: Case) -> bool:
        if case.fault and case.in_recovery:
            return zlib.crc32(case.name.encode()) % 400 == 0
        if case.fault:
            group = Case(case.work, fault=case.fault, at=case.at, aged=case.aged)
            few = zlib.crc32(case.name.encode()) % 6 == 0
            return zlib.crc32(group.name.encode()) % 120 == 0 and (few or case == group)
        if case.work in MAIN:
            return case.between == STAFF
        return zlib.crc32(case.name.encode()) % (100 if case.work in LONG else 10) == 0


@pytest.fixture(scope="module")
def bench(django_db_setup: None, django_db_blocker: Any) -> Iterator[Bench]:
    """One sandbox for the whole file; the world is empty before and after each test."""
    kept = {name: getattr(settings, name) for name in _SETTINGS}
    with django_db_blocker.unblock(), running() as sandbox:
        made = Bench(sandbox)
        undo = install()
        yield made
        undo()
        made.close()
    for name, value in kept.items():
        setattr(settings, name, value)


def units() -> Iterator[tuple[Work, bool]]:
    """The main works with both keys; the others with one."""
    for number, work in enumerate(WORKS):
        for aged in (False, True):
            if work.name in MAIN or aged == bool(number % 2):
                yield work, aged


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("work", "aged"), [pytest.param(w, a, id=f"{w.name}, {'aged' if a else 'fresh'}") for w, a in units()]
)
def test_killed_and_recovered(bench: Bench, work: Work, aged: bool) -> None:
    results = [*walk(bench, work, aged=aged, wanted=Part()), *bench.end_world()]
    wrong = {result.case.name: result.problems for result in results if result.problems}
    assert wrong == {}


def intents_not_looked_for(plant: pytest.MonkeyPatch) -> None:
    """What an earlier worker made at Stripe is made again once its key is forgotten."""
    plant.setattr(StripeGateway, "find_intent", lambda *args, **kwargs: None)


def refunds_not_looked_for(plant: pytest.MonkeyPatch) -> None:
    """The same of a refund."""
    plant.setattr(StripeGateway, "find_refund", lambda *args, **kwargs: None)


def nothing_swept(plant: pytest.MonkeyPatch) -> None:
    """The sweeper finds nothing to go on with."""
    plant.setattr(_collecting, "_left_behind", lambda now: [])


def plans_not_emptied(plant: pytest.MonkeyPatch) -> None:
    """What begins to be charged stays planned."""

    def only_for_a_reason(*args: Any, at: datetime | None, **more: Any) -> None:
        if at or more:
            _plan.put(*args, at=at, **more)

    plant.setattr(_collecting, "_plan", SimpleNamespace(**{**vars(_plan), "put": only_for_a_reason}))


def given_up_in_vain(plant: pytest.MonkeyPatch) -> None:
    """What staff gave up is planned like anything else that was canceled."""

    def at_once(*args: Any, waited: bool = False) -> None:
        _plan.again(*args)

    plant.setattr(_plan, "after_cancel", at_once)


def events_stored_later(plant: pytest.MonkeyPatch) -> None:
    """The door answers at once; the worker stores what it took."""
    store, handle = operations.receive_event, operations.handle_events
    taken: list[dict[str, Any]] = []

    def handle_events(*, now: datetime) -> int:
        while taken:
            store(**taken.pop())
        return handle(now=now)

    plant.setattr(operations, "receive_event", lambda **event: taken.append(event))
    plant.setattr(operations, "handle_events", handle_events)


def letters_marked_first(plant: pytest.MonkeyPatch) -> None:
    """A letter is marked as sent, and then sent."""
    deliver = _delivery._deliver

    def marked(notification: Notification, *args: Any) -> bool:
        Notification.objects.filter(id=notification.id).update(sent_at=NOW)
        return deliver(notification, *args)

    plant.setattr(_delivery, "_deliver", marked)


def letters_given_up(plant: pytest.MonkeyPatch) -> None:
    """A letter that was not taken is marked as sent all the same."""
    plant.setattr(MailGateway, "send", suppressing(MailNotSent, MailGateway.send))


def suppressing(error: type[Exception], plain: Callable[..., Any]) -> Callable[..., None]:
    """The same, silently."""

    def call(*args: Any) -> None:
        with suppress(error):
            plain(*args)

    return call


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("mistake", "only", "wrong"),
    [
        (intents_not_looked_for, "charging/success/kill/no fault/aged/nobody", "payments at Stripe: 2"),
        (nothing_swept, "charging/success/kill/no fault/aged/nobody", "the recovery did not get everywhere"),
        (refunds_not_looked_for, "refunding/success/kill/no fault/aged/nobody", "refunds at Stripe: ["),
        (plans_not_emptied, "charging/new card/kill/no fault/fresh/nobody", "next tries: ["),
        (
            given_up_in_vain,
            "charging/in doubt, given up/kill/no fault/fresh/nobody",
            "tried again although given up",
        ),
        (events_stored_later, "webhooks/payment_method.detached/kill/no fault/fresh/nobody", "events: []"),
        (letters_marked_first, "notifying/mailbox/kill/no fault/fresh/nobody", "letters: ["),
        (letters_given_up, "notifying/smtp/no kill/550/fresh/nobody", "problems kept []"),
    ],
)
def test_a_planted_mistake_is_found(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    mistake: Callable[[pytest.MonkeyPatch], None],
    only: str,
    wrong: str,
) -> None:
    bench.forget()
    mistake(monkeypatch)
    (work,) = [each for each in WORKS if Case(each.name).matches("/".join(only.split("/")[:2]))]
    results = walk(bench, work, aged="/aged/" in only, wanted=Wanted(only))
    assert any(wrong in words for result in results for words in result.problems)
    bench.forget()


def test_a_case_is_found_by_its_name() -> None:
    case = Case("charging/success", 4, "after", "timeout_after", at=2, aged=True, between=NOBODY)
    assert case.name == "charging/success/kill 4 after/timeout_after at request 2/aged/nobody"
    for named in (case.name, "charging/success/kill 4 after/timeout_after/aged", "charging", "//kill 4"):
        assert case.matches(named), named
    for other in ("charging/soft", "//kill 4 before", "///timeout_before", f"{case.name}/more"):
        assert not case.matches(other), other
