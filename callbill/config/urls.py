"""Every address of the installation, by door."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("account/", include("allauth.account.urls")),
    path("", include("callbill.web.portal.urls")),
]
