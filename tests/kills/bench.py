"""A world for kills: payers, cards and invoices by the hundred, the sandbox beside them, and the clock."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from callbill.domain.customers.models import BillableEntity, BillingContact, Company, Membership
from callbill.domain.customers.queries import Viewer, viewer_of
from callbill.domain.invoicing._issuing import issue_next
from callbill.domain.invoicing.models import Invoice
from callbill.domain.ledger.models import Account, Posting
from callbill.domain.ledger.operations import Side, post
from callbill.domain.notifications.models import Notification
from callbill.domain.payments import gateway, operations, queries
from callbill.domain.payments.models import (
    LIVE_STATES,
    Chargeback,
    CollectionPlan,
    GatewayCustomer,
    GatewayEvent,
    PaymentAttempt,
    PaymentMethod,
    Receipt,
    StaffAlert,
)
from callbill.domain.users.models import User
from callbill.rules.money import Money
from stripe_sandbox.handle import Handle
from tests.domain import world
from tests.domain.payments.shop import ISSUED, issued_row
from tests.kills.cases import Case, Result
from tests.kills.stripe_side import StripeSide

NOW = ISSUED
_KEPT = ("django_migrations", "django_content_type", "auth_permission")
_DAYS_BETWEEN_CASES = 2
AGED = timedelta(hours=25)
GOOD = "pm_card_visa"
_HEARD = (
    "payment_intent.*",
    "refund.*",
    "setup_intent.succeeded",
    "payment_method.*",
    "charge.*",
    "payout.*",
    "radar.*",
)
_FIFTY_A_CALL = world.PER_CALL.replace('"1.35"', '"50.00"')


@dataclass
class Payer:
    """Somebody who pays, known to Stripe, with a card or without."""

    payer: BillableEntity
    company: Company
    customer: str
    card: PaymentMethod | None

    @property
    def card_reference(self) -> str:
        """Of the card that is charged."""
        assert self.card is not None
        return str(self.card.reference)


class Bench:
    """One database and one sandbox, for one case after another. Every case has a payer of its own."""

    def __init__(self, sandbox: Handle) -> None:
        self.sandbox = sandbox
        self.stripe = StripeSide(sandbox)
        self.mailbox = Path(tempfile.mkdtemp(prefix="kills-mail-"))
        self._serial = itertools.count(1)
        self._cases = 1_000_000
        self.alerts = 0
        # Of the payers of this world, the cases they were in; and what was wrong in the books of worlds gone.
        self.cases: dict[UUID, Case] = {}
        self.wrong_books: list[Result] = []
        self.began = 0
        self.point_the_product_here()

    def point_the_product_here(self) -> None:
        """At the sandbox, and at a mailbox of its own."""
        settings.STRIPE_API_BASE = self.sandbox.url
        settings.STRIPE_SECRET_KEY = self.sandbox.secret_key
        settings.STRIPE_PUBLISHABLE_KEY = self.sandbox.publishable_key
        settings.STRIPE_WEBHOOK_SECRETS = [self.sandbox.webhook_secret]
        settings.MAIL_DELIVERY = "mailbox"
        settings.MAILBOX_DIR = self.mailbox
        gateway._made.cache_clear()

    def forget(self) -> None:
        """The next case has a world of its own; what is wrong in this one does not count."""
        self._cases = 1_000_000
        self.cases.clear()
        self.empty()

    def end_world(self) -> list[Result]:
        """The next case has a world of its own. Returns what is wrong in the books so far."""
        wrong = self.wrong_books + self.audit()
        self.wrong_books = []
        self.forget()
        return wrong

    def close(self) -> None:
        """Leave nothing behind."""
        self.forget()
        shutil.rmtree(self.mailbox, ignore_errors=True)
        gateway._made.cache_clear()

    # --- the world ----------------------------------------------------------------------------------
    def next_case(self, most: int) -> None:
        """Room for a case: days after the one before, on Stripe's clock. At most `most` share a world."""
        self._cases += 1
        if self._cases > most:
            self.start_again()
            self._cases = 0
        moved = self.sandbox.advance(_DAYS_BETWEEN_CASES * 86400)
        self.began = int(moved["now"])
        StaffAlert.objects.filter(kind__endswith="_in_doubt").delete()
        self.alerts = StaffAlert.objects.count()

    def start_again(self) -> None:
        """The books of this world are closed; an empty one."""
        self.wrong_books += self.audit()
        self.cases.clear()
        self.empty()
        self.sandbox.set_webhook(None)
        self.sandbox.reset()
        self.sandbox.set_clock(NOW.isoformat())
        self.staff_user = self._person("sam@cic.example", is_staff=True)
        self.admin_user = self._person("ann@payers.example", is_staff=False)

    @staticmethod
    def empty() -> None:
        """No rows but Django's own."""
        with connection.cursor() as cursor:
            tables = [t for t in connection.introspection.table_names(cursor) if t not in _KEPT]
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(f"TRUNCATE {', '.join(tables)}")
            cursor.execute("SET session_replication_role = DEFAULT")

    @staticmethod
    def _person(email: str, *, is_staff: bool) -> User:
        return User.objects.create(email=email, is_staff=is_staff, name=email.partition("@")[0])

    @property
    def staff(self) -> Viewer:
        """A member of staff."""
        return viewer_of(self.staff_user)

    @property
    def admin(self) -> Viewer:
        """The billing administrator of every payer there is."""
        return viewer_of(self.admin_user)

    def payer(self, token: str | None = GOOD, *, contract: bool = False) -> Payer:
        """A payer with one billing contact and, if a token is given, its default card saved at Stripe."""
        number = next(self._serial)
        key = f"payer-{number}"
        if contract:
            company = world.company(key, f"Payer {number}", world.terms(_FIFTY_A_CALL))
            payer = world.payer_of(company)
        else:
            company = Company.objects.create(key=key, name=f"Payer {number}")
            payer = BillableEntity.objects.create(company=company, currency="USD", legal_name=company.name)
            BillingContact.objects.create(payer=payer, email=f"billing@{key}.example")
        Membership.objects.create(
            user=self.admin_user, company=company, role=Membership.Role.BILLING_ADMINISTRATOR
        )
        if token is None:
            return Payer(payer, company, "", None)
        return self.known_to_stripe(payer, company, token)

    def known_to_stripe(self, payer: BillableEntity, company: Company, token: str) -> Payer:
        """The same, a customer there with a card."""
        customer = self.stripe.post("customers", metadata={"payer": payer.id})["id"]
        GatewayCustomer.objects.create(payer=payer, reference=customer)
        return Payer(payer, company, customer, self.card(payer, customer, token))

    def card(self, payer: BillableEntity, customer: str, token: str) -> PaymentMethod:
        """A card saved as the form does it; the default if there is none yet."""
        setup = self.stripe.post(
            "setup_intents",
            customer=customer,
            payment_method=self.plastic(token),
            confirm=True,
            usage="off_session",
            allowed_payment_method_types=["card"],
            expand=["payment_method"],
        )
        if setup["status"] == "requires_action":
            self.sandbox.authenticate(setup["id"], setup["client_secret"])
        method = setup["payment_method"]
        return PaymentMethod.objects.create(
            payer=payer,
            reference=method["id"],
            brand=method["card"]["brand"],
            last4=method["card"]["last4"],
            exp_month=method["card"]["exp_month"],
            exp_year=method["card"]["exp_year"],
            is_default=not PaymentMethod.objects.filter(payer=payer, is_default=True).exists(),
            added_at=NOW,
        )

    def plastic(self, token: str) -> str:
        """A payment method; `token` is one of Stripe's, or the number of a card that has none."""
        if not token.isdigit():
            return token
        card = {"number": token, "exp_month": 12, "exp_year": 2060, "cvc": "123"}
        return str(self.stripe.post("payment_methods", type="card", card=card)["id"])

    def invoice(self, payer: Payer, total: int = 100_00, month: int = 1) -> Invoice:
        """An issued invoice of January, or another month of the year, without lines, in the books."""
        made = issued_row(payer.payer, date(2026, month, 1), date(2026, month + 1, 1), total)
        amount = Money(total, "USD")
        post(
            key=f"invoice:{made.id}",
            kind="invoice",
            at=NOW,
            description=f"Invoice {made.number}",
            sides=[
                Side(Account.RECEIVABLE, payer.payer.id, amount),
                Side(Account.REVENUE, payer.payer.id, -amount),
            ],
        )
        return made

    def billed(self, payer: Payer, now: datetime = NOW) -> Invoice:
        """A real invoice over 100.00, of two calls in January."""
        world.calls(payer.company, 2)
        made = issue_next(payer_id=payer.payer.id, now=now)
        assert made is not None
        return made

    # --- what happens by itself -----------------------------------------------------------------------
    def round(self, now: datetime) -> list[str]:
        """What the clock does within an hour, but for mails and new bills. Returns what went wrong."""
        operations.handle_events(now=now)
        operations.forget_removed_cards(now=now)
        return [
            *operations.sweep_attempts(now=now).problems,
            *operations.sweep_refunds(now=now),
            *operations.charge_new_cards(now=now).problems,
            *operations.collect_due(now=now).problems,
        ]

    # --- Stripe's side --------------------------------------------------------------------------------
    def events(self, *kinds: str) -> list[Any]:
        """What Stripe has told since the case began, newest first; of all that the product listens to."""
        return self.stripe.all("events", created={"gte": self.began}, types=kinds or _HEARD)

    def receive(self, events: list[Any], now: datetime) -> None:
        """Events come to the door, well signed."""
        for event in events:
            payload = json.dumps(event).encode()
            moment = int(now.timestamp())
            signed = f"{moment}.".encode() + payload
            mac = hmac.new(self.sandbox.webhook_secret.encode(), signed, hashlib.sha256).hexdigest()
            operations.receive_event(payload=payload, signature=f"t={moment},v1={mac}", now=now)

    def webhooks(self, now: datetime) -> None:
        """Everything Stripe has told, twice and in the wrong order, and applied."""
        events = self.events()
        self.receive(events, now)
        self.receive(events[::-1], now)
        operations.handle_events(now=now)

    # --- afterwards -----------------------------------------------------------------------------------
    def audit(self) -> list[Result]:
        """What is wrong in all the books of this world, by the case of the payer it is about."""
        unknown = Case("books/of everybody")
        wrong = [
            Result(self.cases[each.payer_id] if each.payer_id else unknown, (f"books: {each}",))
            for each in queries.books_differences()
        ]
        if total := sum(Posting.objects.values_list("amount_minor", flat=True)):
            wrong.append(Result(unknown, (f"the trial balance is off by {total}",)))
        numbers = sorted(int(n.rpartition("-")[2]) for n in Receipt.objects.values_list("number", flat=True))
        if numbers != list(range(1, len(numbers) + 1)):
            wrong.append(Result(unknown, (f"numbers of receipts have gaps: {numbers}",)))
        return wrong

    def new_alarms(self) -> int:
        """How often staff were alarmed in this case."""
        return StaffAlert.objects.exclude(kind__endswith="_in_doubt").count() - self.alerts

    @staticmethod
    def doubts_told() -> list[str]:
        """What staff are told of as being in doubt; right while it is."""
        rows = StaffAlert.objects.filter(kind__endswith="_in_doubt", settled_at=None)
        return list(rows.values_list("message", flat=True))

    def told(self, payer: Payer) -> dict[str, int]:
        """The messages to a payer, by kind."""
        kinds = Notification.objects.filter(payer=payer.payer).values_list("kind", flat=True)
        return dict(Counter(kinds))

    def bury(self, payer: Payer) -> None:
        """Nothing of a case that is over may stir while others are walked."""
        PaymentAttempt.objects.filter(invoice__payer=payer.payer, state__in=LIVE_STATES).update(
            state="canceled", lease_until=None
        )
        CollectionPlan.objects.filter(invoice__payer=payer.payer).update(
            next_attempt_at=None, stopped_because="buried"
        )
        Notification.objects.filter(sent_at=None).update(sent_at=NOW)
        GatewayEvent.objects.filter(handled_at=None).update(handled_at=NOW)
        for dispute in Chargeback.objects.filter(attempt__invoice__payer=payer.payer, closed_at=None):
            # Left open it would be lost two weeks on, in the middle of another case.
            self.sandbox.close_dispute(dispute.reference, "lost")
