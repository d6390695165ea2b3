"""How allauth behaves here: people are invited, nobody signs up."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    """Sign-in by e-mail and password; no open sign-up."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Accounts are made by staff."""
        return False
