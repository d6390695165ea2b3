"""Every address of the installation, by door."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("account/", include("callbill.web.ui.account_urls")),
    path("console/", include("callbill.web.console.urls")),
    path("webhooks/", include("callbill.web.webhooks.urls")),
    path("", include("callbill.web.portal.urls")),
]
