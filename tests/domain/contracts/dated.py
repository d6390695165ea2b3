"""A customers file with dated facts: calendars, quantities, tax statuses, tax ids."""

from __future__ import annotations

FILE = """
[[calendar]]
key = "us-federal"
name = "US federal holidays"
days = [2026-01-01, 2026-07-04, 2026-12-25]

[[organization]]
key = "harbor"
name = "Harbor Group"
contacts = ["billing@harbor.example"]
tax_id = "DE136695976"
country = "DE"
[[organization.tax_status]]
kind = "reverse_charge"
reason = "Article 196, Directive 2006/112/EC"
from = 2026-01-01
[organization.contract]
payer = "organization"
currency = "USD"
time_zone = "America/New_York"
effective_from = 2026-01-01
usage = [{ id = "inbound", name = "Inbound calls", unit = "call", rate = "1.35" }]

[[company]]
key = "north"
name = "Harbor North"
organization = "harbor"

[[company]]
key = "acme"
name = "Acme"
contacts = ["billing@acme.example"]
tax_id = "12-3456789"
country = "US"
[[company.tax_status]]
kind = "exempt"
certificate = "NY-ST-119-4711"
reason = "charity"
from = 2026-01-01
until = 2026-06-30
[[company.quantity]]
of = "seats"
from = 2026-01-01
value = 12
[[company.quantity]]
of = "seats"
from = 2026-03-10
value = "14.5"
[company.contract]
currency = "USD"
time_zone = "America/New_York"
effective_from = 2026-01-01
[[company.contract.usage]]
id = "office"
name = "Calls in office hours"
unit = "call"
rate = "1.00"
scope = { holidays = "us-federal", weekdays = ["mon", "tue", "wed", "thu", "fri"] }
[[company.contract.usage]]
id = "other"
name = "Other calls"
unit = "call"
rate = "2.00"
[[company.contract.fee]]
id = "seat"
name = "Seats"
amount = "10.00"
quantity = { by = "maximum", of = "seats" }
"""
