"""How allauth behaves here: people are invited, nobody signs up; its mails go out as all our mails do."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest
from django.utils.html import linebreaks, urlize

from callbill.domain.customers import queries as customers
from callbill.domain.notifications.gateway import Letter
from callbill.gateways.email import MailGateway
from callbill.lib import clock
from callbill.lib.fields import new_id


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Sign-in by e-mail and password; no open sign-up."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Accounts are made by staff."""
        return False

    def format_email_subject(self, subject: str) -> str:
        """The subject as it is written, without the host's name in brackets."""
        return subject

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail about signing in (a password reset) through the mail gateway."""
        seller = customers.seller()
        written = self.render_mail(
            template_prefix, email, {**context, "seller": seller, "request": self.request}
        )
        MailGateway().send(
            Letter(
                message_id=f"<sign-in-{new_id()}@callbill>",
                sender=settings.DEFAULT_FROM_EMAIL,
                reply_to=seller.email,
                recipient=email,
                subject=written.subject,
                text=str(written.body),
                html=linebreaks(urlize(str(written.body), autoescape=True)),
                written_at=clock.now(),
            )
        )
