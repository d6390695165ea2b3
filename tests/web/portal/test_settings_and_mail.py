"""Settings, Notifications, and the demo's mailbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from callbill.domain.customers.models import BillingContact
from callbill.domain.notifications.operations import Attachment, Message, deliver_pending, tell
from callbill.gateways.email import list_mailbox
from tests.domain import world
from tests.web.portal.conftest import TODAY, Cast, browser, text_of


@pytest.fixture
def mailbox(settings: Any, tmp_path: Path) -> Path:
    """An empty mailbox folder."""
    settings.MAIL_DELIVERY = "mailbox"
    settings.MAILBOX_DIR = tmp_path / "mailbox"
    return tmp_path / "mailbox"


def contacts(cast: Cast) -> list[str]:
    """Acme's billing contacts."""
    payer = world.payer_of(cast.acme)
    return sorted(BillingContact.objects.filter(payer=payer).values_list("email", flat=True))


def test_a_billing_administrator_adds_and_removes_contacts(cast: Cast) -> None:
    client, payer = browser(cast.amy), world.payer_of(cast.acme).id
    answer = client.post(
        f"/settings/contacts/{payer}/add/", {"email": " Books@acme.example ", "name": "Bo"}, follow=True
    )
    assert "Billing mails now go to books@acme.example." in text_of(answer)
    assert contacts(cast) == ["billing@acme.example", "books@acme.example"]
    contact = BillingContact.objects.get(email="billing@acme.example")
    address = f"/settings/contacts/{payer}/{contact.id}/remove/"
    assert "billing@acme.example will no longer get invoices" in text_of(client.get(address))
    assert len(contacts(cast)) == 2, "asking changes nothing"
    client.post(address)
    assert contacts(cast) == ["books@acme.example"]


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "Type the e-mail address that shall get the billing mails."),
        ("not an address", "“not an address” is not an e-mail address. Use one like accounts@example.com."),
        ("<b>@x", "“<b>@x” is not an e-mail address."),
    ],
)
def test_what_cannot_be_an_address_comes_back_with_the_reason(cast: Cast, typed: str, why: str) -> None:
    payer = world.payer_of(cast.acme).id
    answer = browser(cast.amy).post(f"/settings/contacts/{payer}/add/", {"email": typed, "name": "Bo"})
    assert answer.status_code == 422
    html = answer.content.decode()
    assert why.replace("<b>", "&lt;b&gt;") in html
    assert 'value="Bo"' in html, "what was typed is not lost"
    assert 'aria-invalid="true"' in html
    assert contacts(cast) == ["billing@acme.example"]


def test_the_last_contact_stays(cast: Cast) -> None:
    contact = BillingContact.objects.get(email="billing@acme.example")
    address = f"/settings/contacts/{world.payer_of(cast.acme).id}/{contact.id}/remove/"
    answer = browser(cast.amy).post(address)
    assert answer.status_code == 422
    assert "This is the last billing contact." in text_of(answer)
    assert contacts(cast) == ["billing@acme.example"]


def test_members_and_strangers_change_no_contacts(cast: Cast) -> None:
    payer = world.payer_of(cast.acme).id
    contact = BillingContact.objects.get(email="billing@acme.example")
    for who, status in ((cast.max, 403), (cast.zoe, 404), (cast.olga, 404)):
        client = browser(who)
        new = {"email": "thief@evil.example"}
        assert client.post(f"/settings/contacts/{payer}/add/", new).status_code == status
        assert client.post(f"/settings/contacts/{payer}/{contact.id}/remove/").status_code == status
    assert contacts(cast) == ["billing@acme.example"]
    said = text_of(browser(cast.max).get("/settings/"))
    assert "billing@acme.example" in said
    assert "Only a billing administrator of Acme Dental can change these." in said


def test_where_the_organization_pays_its_contacts_are_its_own(cast: Cast) -> None:
    said = text_of(browser(cast.cleo).get("/settings/"))
    assert "Harbor Group pays for Harbor Clinic, so the billing mails go to its contacts." in said
    assert "billing@harbor.example" not in said
    assert "billing@harbor.example" in text_of(browser(cast.otto).get("/settings/"))


def send(cast: Cast) -> None:
    """Everything in the outbox, and a receipt with a file for Acme."""
    tell(
        key="receipt:1",
        kind="payment_received",
        payer_id=world.payer_of(cast.acme).id,
        message=Message("Payment received", "Payment received", ("Thank you.",), (), None),
        attachment="receipt:1",
        now=TODAY,
    )
    deliver_pending(now=TODAY, attachments=lambda name: Attachment("receipt 1.pdf", b"%PDF-1"))


def test_notifications_show_what_was_sent_to_whom_and_every_word(cast: Cast, mailbox: Path) -> None:
    client = browser(cast.max)
    number = cast.invoice(cast.acme).number
    assert "On its way" in text_of(client.get("/notifications/"))
    send(cast)
    said = text_of(client.get("/notifications/"))
    assert f"Invoice {number} from CIC" in said
    assert "Sent 10 Feb 2026, 10:30 EST to billing@acme.example" in said
    assert "Thank you." in said
    assert "harbor" not in said
    assert "zenith" not in said


def test_a_companys_people_do_not_read_the_organizations_mail(cast: Cast, mailbox: Path) -> None:
    send(cast)
    assert "Nothing has been sent yet" in text_of(browser(cast.cleo).get("/notifications/"))
    assert "billing@harbor.example" in text_of(browser(cast.olga).get("/notifications/"))


def test_the_mailbox_shows_letters_and_gives_their_files(cast: Cast, mailbox: Path) -> None:
    assert "No mail yet" in text_of(Client().get("/mailbox/"))
    send(cast)
    client = Client()  # it is read before signing in, too
    assert "Payment received billing@acme.example" in text_of(client.get("/mailbox/"))
    mail = next(head for head in list_mailbox(mailbox) if head.subject == "Payment received")
    said = text_of(client.get(f"/mailbox/{mail.id}/"))
    assert "To billing@acme.example" in said
    assert "Thank you." in said
    file = client.get(f"/mailbox/{mail.id}/files/0/")
    assert (file.content, file.headers["Content-Type"]) == (b"%PDF-1", "application/pdf")
    assert file.headers["Content-Disposition"] == 'attachment; filename="receipt_1.pdf"'
    assert client.get(f"/mailbox/{mail.id}/files/1/").status_code == 404
    for other in ("nothing", "..", "%2e%2e%2fsecret_key"):
        assert client.get(f"/mailbox/{other}/").status_code == 404


@pytest.mark.parametrize("change", [{"CALLBILL_MODE": "production"}, {"MAIL_DELIVERY": "smtp"}])
def test_there_is_no_mailbox_where_mail_is_real(
    cast: Cast, mailbox: Path, settings: Any, change: dict[str, str]
) -> None:
    send(cast)
    for name, value in change.items():
        setattr(settings, name, value)
    mail = list_mailbox(mailbox)[0]
    for page in ("/mailbox/", f"/mailbox/{mail.id}/", f"/mailbox/{mail.id}/files/0/"):
        assert browser(cast.amy).get(page).status_code == 404
    assert "Mailbox" not in text_of(browser(cast.amy).get("/settings/"))
