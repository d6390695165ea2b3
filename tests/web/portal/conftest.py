"""Two customers and a stranger, billed for January; the clock stands on 10 February 2026."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from html import unescape
from re import sub
from typing import Any

import pytest
from django.test import Client

from callbill.domain.customers.models import Company, Organization
from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.operations import fall_past_due, run_billing
from callbill.domain.users.models import User
from callbill.lib import clock
from tests.domain import world
from tests.domain.payments.conftest import one_sandbox, sandbox, shop

__all__ = ["one_sandbox", "sandbox", "shop"]

CONTRACT = """
currency = "USD"
time_zone = "America/New_York"
effective_from = 2026-01-01
[[usage]]
id = "support"
name = "Support minutes"
unit = "minute"
increments = "60/6"
rate = "0.95"
[usage.scope]
service = ["support"]
[[usage]]
id = "inbound"
name = "Inbound calls"
unit = "call"
rate = "1.35"
[[fee]]
id = "desk"
name = "Front desk"
amount = "49.00"
when = "arrears"
[[discount]]
name = "Launch promotion"
percent = "10"
applies_to = ["inbound"]
[tax]
[[tax.rate]]
name = "Sales tax"
percent = "8.875"
applies_to = ["inbound"]
"""
FEBRUARY = world.at("2026-02-01T09:00")
TODAY = world.at("2026-02-10T15:30")


@dataclass(frozen=True)
class Cast:
    """Acme pays for itself; Harbor Group pays for Clinic and Dental; Zenith is somebody else."""

    acme: Company
    harbor: Organization
    clinic: Company
    dental: Company
    zenith: Company
    amy: User  # Acme's billing administrator
    max: User  # a member of Acme
    olga: User  # Harbor Group's billing administrator
    otto: User  # a member of Harbor Group
    cleo: User  # a member of Harbor Clinic alone
    zoe: User  # Zenith's billing administrator
    staff: User

    def invoice(self, made: Company) -> Invoice:
        """January's invoice to the company's payer."""
        return Invoice.objects.get(payer=world.payer_of(made))

    def past_due(self, made: Company) -> Invoice:
        """The same, past due."""
        fall_past_due(invoice_id=self.invoice(made).id, now=FEBRUARY)
        return self.invoice(made)


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """Hashing a password is slow on purpose; here it would be most of the time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def clock_stands() -> Iterator[None]:
    """It is 10 February 2026, 10:30 in New York."""
    clock.move_to(TODAY)
    yield
    clock.back_to_real_time()


@pytest.fixture
def cast(db: None, clock_stands: None, quick_passwords: None) -> Cast:
    """Billed for January, with calls in February."""
    harbor = world.organization()
    staff = world.person("dana@cic.example", staff=True)
    acme = world.company(contract=world.terms(CONTRACT))
    clinic = world.company("clinic", "Harbor Clinic", of=harbor)
    dental = world.company("dental", "Harbor Dental", of=harbor)
    zenith = world.company("zenith", "Zenith Law")
    for made in (acme, clinic, dental, zenith):
        made.account_manager = staff
        made.save()
        world.calls(made, 20)
    world.calls(acme, 3, on=date(2026, 1, 20), talk_seconds=61, service="support")
    world.calls(acme, 7, on=date(2026, 2, 3))
    run_billing(now=FEBRUARY)
    return Cast(
        acme=acme,
        harbor=harbor,
        clinic=clinic,
        dental=dental,
        zenith=zenith,
        amy=world.person("amy@acme.example", company=acme, administrator=True),
        max=world.person("max@acme.example", company=acme),
        olga=world.person("olga@harbor.example", organization=harbor, administrator=True),
        otto=world.person("otto@harbor.example", organization=harbor),
        cleo=world.person("cleo@clinic.example", company=clinic),
        zoe=world.person("zoe@zenith.example", company=zenith, administrator=True),
        staff=staff,
    )


def browser(user: User) -> Client:
    """A browser in which the person is signed in."""
    client = Client()
    client.force_login(user)
    return client


def text_of(answer: object) -> str:
    """What a page says, tags taken out and spaces collapsed."""
    content: bytes = getattr(answer, "content", b"")
    return " ".join(unescape(sub(r"<[^>]+>", " ", content.decode())).replace("\xa0", " ").split())
