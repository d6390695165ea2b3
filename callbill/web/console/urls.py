"""The staff's addresses, under console/."""

from __future__ import annotations

from django.urls import path

from callbill.web.console import (
    views_audit,
    views_backtest,
    views_closing,
    views_corrections,
    views_credits,
    views_customers,
    views_imports,
    views_invoices,
    views_lines,
    views_lists,
    views_outages,
    views_overview,
    views_proposals,
    views_runs,
    views_verification,
)

app_name = "console"
urlpatterns = [
    path("", views_overview.overview, name="overview"),
    path("search/", views_overview.search, name="search"),
    path("customers/", views_lists.everybody, name="customers"),
    path("companies/<slug:key>/", views_customers.company, name="company"),
    path("companies/<slug:key>/adjustments/", views_customers.adjust, name="adjust"),
    path("companies/<slug:key>/outages/", views_outages.outages, name="outages"),
    path("organizations/<slug:key>/", views_customers.organization, name="organization"),
    path("invoices/", views_lists.invoices, name="invoices"),
    path("invoices/<str:number>/", views_invoices.invoice, name="invoice"),
    path("invoices/<str:number>/verification/", views_invoices.verification, name="verification"),
    path("invoices/<str:number>/retry/", views_invoices.retry, name="retry"),
    path("invoices/<str:number>/pdf/", views_invoices.invoice_pdf, name="invoice_pdf"),
    path("invoices/<str:number>/receipt/", views_invoices.receipt_pdf, name="receipt_pdf"),
    path("invoices/<str:number>/credit/", views_credits.credit, name="credit"),
    path("invoices/<str:number>/void/", views_closing.void, name="void"),
    path("invoices/<str:number>/write-off/", views_closing.write_off, name="write_off"),
    path("invoices/<str:number>/recovery/", views_closing.recover, name="recover"),
    path("invoices/<str:number>/stop-waiting/", views_closing.stop_waiting, name="stop_waiting"),
    path("credit-notes/<str:number>/pdf/", views_credits.credit_note_pdf, name="credit_note_pdf"),
    path("credit-notes/<str:number>/refund/", views_credits.refund, name="refund"),
    path("invoices/<str:number>/lines/<uuid:line_id>/", views_lines.line, name="line"),
    path("invoices/<str:number>/lines/<uuid:line_id>/calls.csv", views_lines.line_csv, name="line_csv"),
    path(
        "invoices/<str:number>/lines/<uuid:line_id>/calls/<uuid:call_id>/",
        views_corrections.call,
        name="call",
    ),
    path(
        "invoices/<str:number>/lines/<uuid:line_id>/calls/<uuid:call_id>/correction/",
        views_corrections.correct,
        name="correct",
    ),
    path("proposals/", views_proposals.proposals, name="proposals"),
    path("proposals/<uuid:proposal_id>/", views_proposals.proposal, name="proposal"),
    path("proposals/<uuid:proposal_id>/decision/", views_proposals.decide, name="decide"),
    path("runs/", views_runs.runs, name="runs"),
    path("runs/start/", views_runs.start, name="start_run"),
    path("runs/<uuid:run_id>/", views_runs.run, name="run"),
    path("imports/", views_imports.imports, name="imports"),
    path("imports/<uuid:import_id>/", views_imports.one_import, name="import"),
    path("backtest/", views_backtest.backtest, name="backtest"),
    path("verification/", views_verification.verifications, name="verifications"),
    path("verification/start/", views_verification.start, name="start_verification"),
    path("audit/", views_audit.audit, name="audit"),
]
