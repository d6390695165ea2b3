"""The customers of a story as the file that `load-customers` takes, and their calls as a switch's files."""

from __future__ import annotations

import csv
import io
import random
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from callbill.config.simulation.story import Member, Story

ZONE = "America/New_York"
SOURCE = "simulated-switch"
PASSWORD = "callbill-simulation"  # noqa: S105 of made-up people in a world that may be looked at

_CONTRACTS = {
    "calls": '[[company.contracts.usage]]\nid = "calls"\nname = "Calls"\nunit = "call"\nrate = "1.35"\n',
    "minutes": (
        '[[company.contracts.usage]]\nid = "minutes"\nname = "Minutes"\nunit = "minute"\n'
        'increments = "60/6"\nrate = "0.95"\n'
        '[company.contracts.service_level]\navailability_percent = "99.9"\n'
        'credit_percent = "10"\ncap_percent = "50"\n'
    ),
    "fees": (
        '[[company.contracts.usage]]\nid = "calls"\nname = "Calls"\nunit = "call"\nrate = "0.85"\n'
        '[[company.contracts.fee]]\nid = "platform"\nname = "Platform fee"\namount = "49.00"\n'
        'every = "month"\nwhen = "advance"\n'
    ),
    "taxed": (
        '[[company.contracts.usage]]\nid = "calls"\nname = "Calls"\nunit = "call"\nrate = "1.10"\n'
        '[company.contracts.minimum]\namount = "20.00"\n'
        '[company.contracts.tax]\nbehavior = "exclusive"\n'
        '[[company.contracts.tax.rate]]\nname = "Sales tax"\npercent = "8.875"\napplies_to = ["calls"]\n'
    ),
    # So little that an invoice can be too small for a card.
    "small": '[[company.contracts.usage]]\nid = "calls"\nname = "Calls"\nunit = "call"\nrate = "0.01"\n',
}
_PRICE = re.compile(r'(rate|amount) = "(\d+)\.(\d\d)"')
_PROFILE = f"""
name = "Simulated switch"
source = "{SOURCE}"
[id]
columns = ["call_id"]
[company]
column = "account"
[started_at]
column = "started_at"
format = "iso"
[answered_at]
column = "answered_at"
format = "iso"
[ended_at]
column = "ended_at"
format = "iso"
[talk_ms]
column = "talk_seconds"
unit = "s"
[direction]
constant = "inbound"
[disposition]
column = "result"
[[flags]]
column = "mark"
when = ["spam"]
flag = "spam"
"""
_COLUMNS = ("call_id", "account", "started_at", "answered_at", "ended_at", "talk_seconds", "result", "mark")


def profile_text() -> str:
    """How the switch's files are read."""
    return _PROFILE


def customers_file(story: Story, payers: Mapping[str, Sequence[tuple[date, str]]]) -> str:
    """The customers file. `payers` has, by company, from when which kind of payer pays for it."""
    parts = [
        f'[seller]\nname = "CIC"\nnumber_prefix = "CIC"\nemail = "billing@cic.example"\n'
        f"retry_ladder_days = {list(story.ladder)}\n",
        f'[[staff]]\nemail = "sam@cic.example"\nname = "Sam"\npassword = "{PASSWORD}"\n',
    ]
    for key in dict.fromkeys(m.organization for m in story.cast if m.organization):
        parts.append(
            f'[[organization]]\nkey = "{key}"\nname = "Organization {key}"\n{_people("organization", key)}'
        )
    parts += [_company(member, payers[member.key]) for member in story.cast]
    return "\n".join(parts)


def _company(member: Member, payers: Sequence[tuple[date, str]]) -> str:
    organization = f'organization = "{member.organization}"\n' if member.organization else ""
    head = f'[[company]]\nkey = "{member.key}"\nname = "Company {member.key}"\n{organization}'
    versions = [
        f'[[company.contracts]]\npayer = "{payer}"\ncurrency = "{member.currency}"\ntime_zone = "{ZONE}"\n'
        f"billing_day = {member.billing_day}\neffective_from = {from_date}\n{_contract(member)}"
        for from_date, payer in payers
    ]
    return head + _people("company", member.key) + "".join(versions)


def _contract(member: Member) -> str:
    """Its terms; where a currency has no cents, its unit stands for one."""
    terms = _CONTRACTS[member.contract]
    if member.currency == "JPY":
        return _PRICE.sub(lambda found: f'{found[1]} = "{int(found[2] + found[3])}"', terms)
    return terms


def _people(kind: str, key: str) -> str:
    return (
        f'contacts = ["bills@{key}.example"]\n[[{kind}.people]]\nemail = "ann@{key}.example"\n'
        f'name = "Ann of {key}"\nrole = "billing_administrator"\npassword = "{PASSWORD}"\n'
    )


@dataclass(frozen=True, slots=True)
class MadeCall:
    """A call as the switch tells it. `late` ones are handed over by a file of their own, later."""

    row: tuple[str, ...]
    late: bool

    @property
    def key(self) -> str:
        """The switch's id of it."""
        return self.row[0]


def calls_of(seed: int, company: str, day: date) -> list[MadeCall]:
    """A company's calls of a day: the same for the same seed."""
    dice = random.Random(f"calls {seed} {company} {day}")  # noqa: S311 no secret
    made = []
    for serial in range(dice.choice((0, 1, 1, 2, 3) if day.weekday() < 5 else (0, 0, 1))):
        started = datetime.combine(day, time(14 + serial, dice.randint(0, 59)), tzinfo=UTC)
        answered = started + timedelta(seconds=dice.randint(2, 40))
        talk = dice.randint(5, 600)
        spam = dice.random() < 0.05
        row = (
            f"{company}-{day:%Y%m%d}-{serial}",
            company,
            started.isoformat(),
            answered.isoformat(),
            (answered + timedelta(seconds=talk)).isoformat(),
            str(talk),
            dice.choice(("answered", "answered", "answered", "voicemail")),
            "spam" if spam else "",
        )
        made.append(MadeCall(row, late=dice.random() < 0.08))
    return made


def switch_file(rows: Collection[tuple[str, ...]]) -> bytes:
    """Rows of calls as the switch's CSV file."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows(rows)
    return text.getvalue().encode()
