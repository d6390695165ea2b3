"""What goes into the outbox."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.db import transaction
from pytest_django import Settings

from callbill.domain.customers.models import BillableEntity, BillingContact
from callbill.domain.notifications.models import Notification
from callbill.domain.notifications.operations import Message
from tests.domain.notifications.conftest import MESSAGE

pytestmark = pytest.mark.django_db

Say = Callable[..., int]


def words_of(html: str) -> list[str]:
    """The words a reader of the HTML sees."""
    body = re.sub(r"<head>.*</head>", " ", html, flags=re.S)
    return unescape(re.sub(r"<[^>]+>", " ", body)).split()


def test_one_row_for_each_billing_contact(say: Say) -> None:
    assert say() == 2
    assert set(Notification.objects.values_list("recipient", flat=True)) == {
        "ada@acme.example",
        "bo@acme.example",
    }


def test_the_same_key_again_adds_nothing(say: Say) -> None:
    say()
    assert say() == 0
    assert say("issued:2") == 2
    assert Notification.objects.count() == 4


def test_an_address_written_in_other_letters_is_the_same_address(say: Say, payer: BillableEntity) -> None:
    say()
    BillingContact.objects.filter(email="ada@acme.example").update(email="Ada@Acme.example")
    assert say() == 0


def test_a_payer_without_contacts_is_told_nothing(say: Say, payer: BillableEntity) -> None:
    BillingContact.objects.all().delete()
    assert say() == 0
    assert not Notification.objects.exists()


def test_what_is_rolled_back_is_not_told(say: Say) -> None:
    with transaction.atomic():
        say()
        transaction.set_rollback(True)
    assert not Notification.objects.exists()


def test_text_and_html_say_the_same(say: Say, settings: Settings) -> None:
    settings.CALLBILL_BASE_URL = "https://billing.cic.example"
    say()
    row = Notification.objects.first()
    assert row is not None
    seen = words_of(row.body_html)
    for word in row.body_text.replace(":", " ").split():
        if word != "--":
            assert any(word in other.replace(":", " ").split() or word == other for other in seen), word
    assert "https://billing.cic.example/invoices/CIC-000007/" in row.body_text
    assert 'href="https://billing.cic.example/invoices/CIC-000007/"' in row.body_html
    assert "Total: $1,027.35\nDue: 15 March 2026\n" in row.body_text
    assert row.subject == MESSAGE.subject


def test_a_name_cannot_become_markup(say: Say) -> None:
    name = '<script>alert(1)</script> & Söhne "{{ 7 }}" 北京医院'
    say(message=Message(subject=name, headline=name, paragraphs=(name,), facts=((name, name),)))
    row = Notification.objects.first()
    assert row is not None
    assert "<script" not in row.body_html
    assert row.body_html.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp; Söhne") == 5  # title and body
    assert row.body_text.count(name) == 4  # as written, not escaped


def test_a_name_cannot_add_a_header_or_a_line(say: Say) -> None:
    say(
        message=Message(
            subject="Invoice\r\nBcc: all@evil.example",
            headline="Hello\nTotal: $0.00",
            paragraphs=("nul\x00, bidi \u202eabc, separator\u2028end",),
        )
    )
    row = Notification.objects.first()
    assert row is not None
    assert row.subject == "Invoice Bcc: all@evil.example"
    assert row.body_text.splitlines()[0] == "Hello Total: $0.00"
    assert "nul , bidi abc, separator end" in row.body_text


def test_a_long_subject_is_cut_and_fits_its_column(say: Say) -> None:
    say(message=Message(subject="x" * 1000, headline="h"))
    assert Notification.objects.filter(subject="x" * 200).count() == 2


def test_an_action_must_be_a_path_of_ours(say: Say) -> None:
    with pytest.raises(ValueError, match="slash"):
        say(message=Message(subject="s", headline="h", action=("Go", "https://evil.example/")))
