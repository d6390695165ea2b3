"""What the tests of payments do over and over: save a card as a browser would, bill, look at Stripe."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import stripe

from callbill.domain.customers.models import BillableEntity, Company
from callbill.domain.customers.queries import Viewer
from callbill.domain.disputes.models import Hold
from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.operations import run_billing
from callbill.domain.notifications.models import Notification
from callbill.domain.payments import operations
from callbill.domain.payments.models import CardSetup, PaymentAttempt, PaymentMethod
from stripe_sandbox.handle import Handle
from tests.domain import world

ISSUED = world.at("2026-02-01T09:00")
VISA = "pm_card_visa"
ALWAYS_3DS = "pm_card_authenticationRequired"
DECLINES = "pm_card_chargeCustomerFail"


def sdk(sandbox: Handle) -> stripe.StripeClient:
    """The SDK beside the product: what the browser does, and what really happened at Stripe."""
    return stripe.StripeClient(
        sandbox.secret_key,
        base_addresses={"api": sandbox.url},
        http_client=stripe.RequestsClient(timeout=10),
    )


class Shop:
    """Acme with 100 calls in January, so with an invoice over 135.00 on 1 February."""

    def __init__(self, sandbox: Handle) -> None:
        self.sandbox = sandbox
        self.stripe = sdk(sandbox)
        self.company: Company = world.company()
        self.payer: BillableEntity = world.payer_of(self.company)
        self.admin: Viewer = world.viewer("ann@acme.example", company=self.company, administrator=True)
        self.staff: Viewer = world.viewer("sam@cic.example", staff=True)

    def fill_in(self, form: operations.CardForm, token: str = VISA) -> str:
        """The browser confirms the card form; returns the gateway's reference of the form."""
        reference = str(CardSetup.objects.get(id=form.setup_id).reference)
        confirmed = self.stripe.v1.setup_intents.confirm(reference, {"payment_method": token})
        if confirmed.status == "requires_action":
            self.sandbox.authenticate(reference, str(confirmed.client_secret))
        return reference

    def add_card(
        self,
        token: str = VISA,
        *,
        default: bool = False,
        viewer: Viewer | None = None,
        payer_id: UUID | None = None,
        now: datetime = ISSUED,
    ) -> PaymentMethod:
        """Save a card through the form."""
        who = viewer or self.admin
        form = operations.start_card_setup(
            viewer=who, payer_id=payer_id or self.payer.id, ip="192.0.2.1", now=now
        )
        self.fill_in(form, token)
        saved = operations.finish_card_setup(viewer=who, setup_id=form.setup_id, now=now)
        assert saved is not None
        if default:
            operations.make_default(viewer=who, card_id=saved.id, now=now)
        return PaymentMethod.objects.get(id=saved.id)

    @staticmethod
    def hold_some(invoice: Invoice, minor: int = 35_00) -> Hold:
        """A part is held while a card is being charged, as a warning of fraud does."""
        return Hold.objects.create(
            invoice=invoice, kind="fraud_warning", cause="x", reason="-", placed_at=ISSUED, amount_minor=minor
        )

    def bill(self, calls: int = 100, *, month: int = 1) -> Invoice:
        """Calls in that month of 2026 and the invoice that the billing run makes of them."""
        world.calls(self.company, calls, on=date(2026, month, 15))
        run_billing(now=world.at(f"2026-{month + 1:02d}-01T09:00"))
        return Invoice.objects.get(payer=self.payer, first_day=date(2026, month, 1))

    def charges(self, *, paid: bool | None = None) -> list[Any]:
        """The charges there are at Stripe, newest first."""
        found = list(self.stripe.v1.charges.list({"limit": 100}).data)
        return [charge for charge in found if paid is None or charge.paid is paid]

    def told(self, kind: str) -> list[Notification]:
        """The messages of a kind in the outbox."""
        return list(Notification.objects.filter(kind=kind).order_by("created_at"))

    def attempt(self, invoice: Invoice) -> PaymentAttempt:
        """The invoice's latest attempt."""
        return PaymentAttempt.objects.filter(invoice=invoice).latest("created_at", "id")


def issued_row(payer: BillableEntity, first_day: date, end_day: date, total: int, **fields: Any) -> Invoice:
    """An issued invoice without lines, for where only its being paid matters."""
    invoice = Invoice.objects.create(
        payer=payer,
        status="draft",
        currency=fields.pop("currency", "USD"),
        first_day=first_day,
        end_day=end_day,
        time_zone="America/New_York",
    )
    issued = {
        "number": f"TEST-{Invoice.objects.count():06d}",
        "status": "open",
        "issued_at": ISSUED,
        "issue_date": date(2026, 2, 1),
        "due_date": date(2026, 2, 15),
        "subtotal_minor": total,
        "total_minor": total,
        "payer_snapshot": {"name": payer.name},
        "seller_snapshot": {"name": "CIC"},
        **fields,
    }
    Invoice.objects.filter(id=invoice.id).update(**issued)
    invoice.refresh_from_db()
    return invoice
