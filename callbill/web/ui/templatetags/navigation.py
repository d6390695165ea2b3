"""Sidebar entries, icons, paging and status badges."""

from __future__ import annotations

from typing import Any

from django import template
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from callbill.rules.lifecycle import WORDS, InvoiceStatus

register = template.Library()

_ICONS = {
    "company": '<path d="M4 21V5l8-2v18M12 9h8v12M2 21h20M7 8h2M7 12h2M7 16h2M15 13h2M15 17h2"/>',
    "invoices": '<path d="M6 3h12v18l-3-2-3 2-3-2-3 2zM9 8h6M9 12h6"/>',
    "usage": '<path d="M4 20h16M7 20v-7M12 20V5M17 20v-10"/>',
    "notifications": '<path d="M3 6h18v12H3zM3 7l9 6 9-6"/>',
    "settings": '<circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>'
    '<path d="M4 7h9m4 0h3M4 17h3m4 0h9"/>',
    "mailbox": '<path d="M4 13l3-8h10l3 8v6H4zM4 13h5l1 2h4l1-2h5"/>',
    "card": '<rect x="2" y="5" width="20" height="14" rx="2"/><path d="M2 10h20M6 15h4"/>',
    "search": '<circle cx="11" cy="11" r="6"/><path d="M16 16l5 5"/>',
    "runs": '<path d="M4 12a8 8 0 0 1 14-5l2 2M20 4v5h-5M20 12a8 8 0 0 1-14 5l-2-2M4 20v-5h5"/>',
    "log": '<path d="M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01"/>',
}
_TONES = {
    InvoiceStatus.PAID: "good",
    InvoiceStatus.OPEN: "wait",
    InvoiceStatus.PAST_DUE: "bad",
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """A small drawing beside a word; hidden from screen readers, because the word says it."""
    return format_html('<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">{}</svg>', _drawing(name))


@register.inclusion_tag("ui/nav_link.html", takes_context=True)
def nav_link(
    context: dict[str, Any], url_name: str, label: str, icon_name: str, new_tab: bool = False
) -> dict[str, Any]:
    """An entry of the sidebar; marked as current on its page and on the pages below it."""
    href = reverse(url_name)
    request: HttpRequest | None = context.get("request")
    here = request.path if request else ""
    current = "page" if here == href else "true" if here.startswith(href) else ""
    return {"href": href, "label": label, "icon": _drawing(icon_name), "new_tab": new_tab, "current": current}


@register.simple_tag(takes_context=True)
def other_page(context: dict[str, Any], number: int) -> str:
    """This address with another `page` in its query."""
    query = context["request"].GET.copy()
    query["page"] = str(number)
    return f"?{query.urlencode()}"


@register.simple_tag
def status_badge(status: InvoiceStatus | str) -> SafeString:
    """An invoice's status as word and colour."""
    known = InvoiceStatus(status)
    return format_html('<span class="badge {}">{}</span>', _TONES.get(known, ""), WORDS[known])


def _drawing(name: str) -> SafeString:
    return mark_safe(_ICONS[name])  # noqa: S308 - constants of this module
