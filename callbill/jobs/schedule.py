"""Everything that happens by itself, on one page. Times are UTC; each customer's own clock decides."""

from __future__ import annotations

from procrastinate.contrib.django import app

from callbill.jobs import tasks

# Hourly, because midnight comes at each customer's own hour.
app.periodic(cron="2 * * * *")(tasks.bill_and_collect)
app.periodic(cron="32 * * * *")(tasks.read_lost_messages)

# Every minute; webhooks usually come within seconds, this also covers those that never do.
app.periodic(cron="* * * * *")(tasks.take_up_left_jobs)
app.periodic(cron="* * * * *")(tasks.catch_up)
app.periodic(cron="* * * * *")(tasks.verify_asked)
app.periodic(cron="* * * * *")(tasks.reconcile_asked)

# Once a day.
app.periodic(cron="30 6 * * *")(tasks.warn_of_expiring_cards)
app.periodic(cron="15 3 * * *")(tasks.verify_sample)
app.periodic(cron="45 5 * * *")(tasks.ask_about_chargebacks)
app.periodic(cron="15 4 * * *")(tasks.reconcile)
