"""What adjustments are taxed as, what proposals are about, and outages."""

import callbill.lib.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION callbill_decided_is_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'proposed' AND TG_OP = 'UPDATE' THEN RETURN NEW; END IF;
    IF TG_OP = 'UPDATE' AND to_jsonb(OLD) = to_jsonb(NEW) THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'a proposed credit is kept, and decided once'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER proposal_frozen BEFORE UPDATE OR DELETE ON invoicing_creditproposal
    FOR EACH ROW EXECUTE FUNCTION callbill_decided_is_frozen();
"""

BACKWARD = """
DROP TRIGGER proposal_frozen ON invoicing_creditproposal;
DROP FUNCTION callbill_decided_is_frozen();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0002_initial"),
        ("invoicing", "0006_credits_are_frozen"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Outage",
            fields=[
                (
                    "id",
                    callbill.lib.fields.IdField(
                        default=callbill.lib.fields.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("service", models.CharField(blank=True, help_text="Empty: every service.", max_length=60)),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("incident", models.CharField(max_length=60)),
                (
                    "outcome",
                    models.TextField(
                        help_text="The availability and the credit, or why there is none, in words."
                    ),
                ),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.RemoveField(
            model_name="creditproposal",
            name="adjustment",
        ),
        migrations.AddField(
            model_name="adjustment",
            name="charge",
            field=models.CharField(
                blank=True,
                help_text="The charge it corrects and is taxed as; null: it is not taxed.",
                max_length=60,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="adjustment",
            name="proposal",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="adjustments",
                to="invoicing.creditproposal",
            ),
        ),
        migrations.AddField(
            model_name="creditproposal",
            name="stretch",
            field=models.ForeignKey(
                help_text="The days it is about.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="invoicing.stretch",
            ),
        ),
        migrations.AlterField(
            model_name="creditproposal",
            name="amount_minor",
            field=callbill.lib.fields.MinorField(
                help_text="What would be credited before tax; negative: charged."
            ),
        ),
        migrations.AlterField(
            model_name="creditproposal",
            name="lines",
            field=models.JSONField(
                default=list, help_text="By charge: kind, charge, name, amount and tax in minor units."
            ),
        ),
        migrations.AddConstraint(
            model_name="creditproposal",
            constraint=models.UniqueConstraint(
                condition=models.Q(("cause", "corrected_calls"), ("state", "proposed")),
                fields=("stretch",),
                name="one_open_correction_a_stretch",
            ),
        ),
        migrations.AddField(
            model_name="outage",
            name="company",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="customers.company"
            ),
        ),
        migrations.AddField(
            model_name="outage",
            name="created_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="outage",
            name="proposal",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="outage",
                to="invoicing.creditproposal",
            ),
        ),
        migrations.AddIndex(
            model_name="outage",
            index=models.Index(fields=["company", "starts_at"], name="outage_company"),
        ),
        migrations.AddConstraint(
            model_name="outage",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="outage_ends_after"
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
