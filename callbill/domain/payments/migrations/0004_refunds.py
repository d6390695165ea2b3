"""Refunds of credit notes to the card that paid."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import callbill.lib.fields


class Migration(migrations.Migration):
    dependencies = [
        ("invoicing", "0006_credits_are_frozen"),
        ("payments", "0003_frozen_calls_and_alerts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Refund",
            fields=[
                (
                    "id",
                    callbill.lib.fields.IdField(
                        default=callbill.lib.fields.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("prepared", "Being made"),
                            ("pending", "On its way"),
                            ("succeeded", "Refunded"),
                            ("failed", "Not refunded"),
                        ],
                        default="prepared",
                        max_length=10,
                    ),
                ),
                ("amount_minor", callbill.lib.fields.MinorField()),
                ("currency", callbill.lib.fields.CurrencyField(max_length=3)),
                ("reference", models.CharField(max_length=64, null=True, unique=True)),
                ("problem", models.TextField(blank=True, help_text="For staff.")),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                (
                    "attempt",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="payments.paymentattempt",
                    ),
                ),
                (
                    "credit_note",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="invoicing.creditnote",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["created_at"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("prepared", "pending"))),
                        fields=["lease_until"],
                        name="refund_in_doubt",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount_minor__gt", 0)), name="refund_of_something"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("prepared", "pending"))),
                        fields=("credit_note",),
                        name="one_live_refund_a_note",
                    ),
                ],
            },
        ),
    ]
