"""HTML for the viewer: small pieces that escape whatever they are given."""

from __future__ import annotations

import html
from datetime import UTC, datetime

MENU = (
    ("/", "Overview"),
    ("/customers", "Customers and cards"),
    ("/payments", "Payments"),
    ("/charges", "Charges"),
    ("/disputes", "Disputes"),
    ("/payouts", "Payouts"),
    ("/events", "Events"),
    ("/requests", "Requests"),
)
_WHOLE = (
    "bif",
    "clp",
    "djf",
    "gnf",
    "jpy",
    "kmf",
    "krw",
    "mga",
    "pyg",
    "rwf",
    "ugx",
    "vnd",
    "vuv",
    "xaf",
    "xof",
    "xpf",
)
_GOOD = {"succeeded", "delivered", "enabled", "won", "paid", "200"}
_BAD = {
    "failed",
    "not delivered",
    "dropped",
    "requires_payment_method",
    "canceled",
    "disputed",
    "needs_response",
    "lost",
    "actionable",
    "disabled",
    "silent",
    "reset",
    "half",
}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(text: str) -> Markup:
    """`text` made safe, unless it is HTML already."""
    return text if isinstance(text, Markup) else Markup(html.escape(text))


def join(*parts: str) -> Markup:
    """Pieces one after another."""
    return Markup("".join(escape(part) for part in parts))


def layout(title: str, body: Markup, now: int) -> Markup:
    """A whole page."""
    menu = join(
        *[
            Markup(
                f'<li><a href="{to}"{" aria-current=page" if name == title else ""}>{escape(name)}</a></li>'
            )
            for to, name in MENU
        ]
    )
    return Markup(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} - Stripe sandbox</title>"
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="/endive/viewer.css"></head><body>'
        '<a class="skip" href="#main">Skip to the content</a>'
        f'<header><p class="banner"><strong>SANDBOX, no real money.</strong> '
        f"Sandbox time: {moment(now)} UTC</p>"
        f'<p class="brand">Stripe sandbox</p><nav aria-label="Main"><ul>{menu}</ul></nav></header>'
        f'<main id="main"><h1>{escape(title)}</h1>{body}</main></body></html>'
    )


def section(title: str, body: str) -> Markup:
    """A part with a heading."""
    return Markup(f"<section><h2>{escape(title)}</h2>{escape(body)}</section>")


def paragraph(text: str, anchor: str = "") -> Markup:
    """A line of text, which `anchor` makes a place to jump to."""
    return Markup(f"<p{f' id={chr(34)}{html.escape(anchor)}{chr(34)}' if anchor else ''}>{escape(text)}</p>")


def note(text: str) -> Markup:
    """What to know when there is nothing to see."""
    return Markup(f'<p class="note">{escape(text)}</p>')


def table(headings: list[str], rows: list[list[str]], empty: str) -> Markup:
    """A table, or the words `empty` when it has no rows."""
    if not rows:
        return note(empty)
    head = "".join(
        f'<th scope="col">{escape(name)}</th>'
        if name
        else '<th scope="col"><span class="quiet">Actions</span></th>'
        for name in headings
    )
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return Markup(
        '<div class="wide" tabindex="0" role="group" aria-label="Table">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def tiles(counts: list[tuple[str, int, str]]) -> Markup:
    """How many there are of each thing."""
    return Markup(
        '<ul class="tiles">'
        + "".join(
            f'<li><a href="{to}"><strong>{number:,}</strong> {escape(name)}</a></li>'
            for name, number, to in counts
        )
        + "</ul>"
    )


def badge(word: str) -> Markup:
    """A status in a word, its colour only repeating it."""
    kind = "good" if word in _GOOD else "bad" if word in _BAD or word[:1] in ("4", "5") else "plain"
    return Markup(f'<span class="badge {kind}">{escape(word.replace("_", " "))}</span> ')


def button(action: str, hidden: dict[str, str], words: str) -> Markup:
    """One button that does `action`."""
    return Markup(
        f'<form method="post" action="/do/{action}">{_hidden(hidden)}<button>{escape(words)}</button></form>'
    )


def buttons(action: str, hidden: dict[str, str], name: str, choices: dict[str, str], words: str) -> Markup:
    """A row of buttons that do `action`, each with another value of `name`."""
    row = "".join(
        f'<button name="{name}" value="{html.escape(value)}">{escape(label)}</button>'
        for value, label in choices.items()
    )
    return Markup(
        f'<form method="post" action="/do/{action}" class="row">{_hidden(hidden)}<fieldset>'
        f"<legend>{escape(words)}</legend>{row}</fieldset></form>"
    )


def link(object_id: str, words: str = "") -> Markup:
    """To the page of an object."""
    return Markup(f'<a href="/objects/{html.escape(object_id)}">{escape(words or object_id)}</a>')


def older(to: str) -> Markup:
    """To the next page of a list."""
    return Markup(f'<p><a class="more" href="{html.escape(to)}">Older</a></p>')


def code(text: str) -> Markup:
    """Text as it is."""
    return Markup(f'<pre tabindex="0">{escape(text)}</pre>')


def moment(seconds: int) -> Markup:
    """A time, in UTC, as the banner says."""
    when = datetime.fromtimestamp(seconds, UTC)
    return Markup(f'<time datetime="{when.isoformat()}">{when:%Y-%m-%d %H:%M:%S}</time>')


def money(amount: int, currency: str) -> str:
    """An amount of minor units as people write it."""
    if currency in _WHOLE:
        return f"{amount:,}\N{NO-BREAK SPACE}{currency.upper()}"
    sign, whole = ("-" if amount < 0 else ""), abs(amount)
    return f"{sign}{whole // 100:,}.{whole % 100:02}\N{NO-BREAK SPACE}{currency.upper()}"


def card_name(card: dict[str, str]) -> str:
    """Visa ending 4242."""
    return f"{card['brand'].title()} ending {card['last4']}"


def _hidden(fields: dict[str, str]) -> str:
    return "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in fields.items()
    )
