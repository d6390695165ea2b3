"""The customers' addresses."""

from __future__ import annotations

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from callbill.web.portal import (
    views_cards,
    views_company,
    views_confirming,
    views_documents,
    views_invoices,
    views_mailbox,
    views_notifications,
    views_paying,
    views_settings,
    views_usage,
)


class NumberConverter(StringConverter):
    """An invoice number in an address: any text but what no number and no database text can have."""

    regex = r"[^/\x00]{1,40}"


register_converter(NumberConverter, "number")

app_name = "portal"
urlpatterns = [
    path("", views_company.home, name="home"),
    path("company/", views_company.company, name="company"),
    path("company/payment-methods/add/", views_cards.add, name="add_card"),
    path("company/payment-methods/added/", views_cards.added, name="card_added"),
    path("company/payment-methods/<uuid:card_id>/default/", views_cards.make_default, name="default_card"),
    path("company/payment-methods/<uuid:card_id>/agree/", views_cards.agree, name="agree_card"),
    path("company/payment-methods/<uuid:card_id>/remove/", views_cards.remove, name="remove_card"),
    path("invoices/", views_invoices.listing, name="invoices"),
    path("invoices/pay/", views_paying.pay_several, name="pay_several"),
    path("invoices/pay/past-due/<uuid:payer_id>/", views_paying.owed_now, name="owed_now"),
    path("invoices/<number:number>/", views_invoices.invoice, name="invoice"),
    path("invoices/<number:number>/pay/", views_paying.pay, name="pay"),
    path("invoices/<number:number>/pdf/", views_documents.invoice_pdf, name="invoice_pdf"),
    path("invoices/<number:number>/receipt/", views_documents.receipt_pdf, name="receipt_pdf"),
    path("pay/confirm/<str:token>/", views_confirming.confirm, name="confirm_payment"),
    path("receipts/<number:number>/pdf/", views_documents.one_receipt_pdf, name="one_receipt_pdf"),
    path("credit-notes/<number:number>/pdf/", views_documents.credit_note_pdf, name="credit_note_pdf"),
    path("usage/", views_usage.usage, name="usage"),
    path("notifications/", views_notifications.notifications, name="notifications"),
    path("settings/", views_settings.settings, name="settings"),
    path("settings/collection/<uuid:payer_id>/", views_settings.collection, name="collection"),
    path("settings/contacts/<uuid:payer_id>/add/", views_settings.add_contact, name="add_contact"),
    path(
        "settings/contacts/<uuid:payer_id>/<uuid:contact_id>/remove/",
        views_settings.remove_contact,
        name="remove_contact",
    ),
    path("mailbox/", views_mailbox.mailbox, name="mailbox"),
    path("mailbox/<str:mail_id>/", views_mailbox.letter, name="letter"),
    path("mailbox/<str:mail_id>/files/<int:position>/", views_mailbox.file, name="letter_file"),
]
