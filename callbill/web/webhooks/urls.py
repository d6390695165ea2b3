"""Where the outside knocks."""

from __future__ import annotations

from django.urls import path

from callbill.web.webhooks import views

app_name = "webhooks"
urlpatterns = [path("stripe/", views.stripe, name="stripe")]
