"""What became known of calls after they were billed; kept as it was made."""

import callbill.lib.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION callbill_correction_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    living text[] := ARRAY['examined_at', 'proposal_id', 'refused_at'];
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(OLD) - living = to_jsonb(NEW) - living THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'a correction of a call is kept as it was made'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER correction_frozen BEFORE UPDATE OR DELETE ON usage_callcorrection
    FOR EACH ROW EXECUTE FUNCTION callbill_correction_frozen();
"""

BACKWARD = """
DROP TRIGGER correction_frozen ON usage_callcorrection;
DROP FUNCTION callbill_correction_frozen();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0003_find_unsettled_calls"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="callimport",
            name="corrected",
            field=models.PositiveIntegerField(default=0, help_text="Rows that correct a billed call (M21)."),
        ),
        migrations.CreateModel(
            name="CallCorrection",
            fields=[
                (
                    "id",
                    callbill.lib.fields.IdField(
                        default=callbill.lib.fields.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "number",
                    models.PositiveSmallIntegerField(help_text="1 for the first correction of the call."),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("imported", "Sent again by the source with other content"),
                            ("flagged", "Flagged by staff"),
                            ("removed", "Removed by staff"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "said",
                    models.JSONField(
                        default=dict, help_text="The content that the source sent, or the flag added."
                    ),
                ),
                ("before", models.JSONField(help_text="The call's content as it held until then.")),
                (
                    "after",
                    models.JSONField(
                        help_text="Its content from then on; null: the call is removed.", null=True
                    ),
                ),
                ("reason", models.TextField()),
                ("import_line", models.PositiveIntegerField(null=True)),
                ("source_updated_at", models.DateTimeField(null=True)),
                ("made_at", models.DateTimeField()),
                (
                    "examined_at",
                    models.DateTimeField(help_text="When invoicing found out what it changes.", null=True),
                ),
                (
                    "proposal_id",
                    models.UUIDField(
                        db_index=True, help_text="The proposed credit it is part of.", null=True
                    ),
                ),
                (
                    "refused_at",
                    models.DateTimeField(help_text="Staff refused the credit: it does not apply.", null=True),
                ),
                (
                    "call",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="corrections",
                        to="usage.call",
                    ),
                ),
                (
                    "call_import",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="corrections",
                        to="usage.callimport",
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["call", "number"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("examined_at__isnull", True)),
                        fields=["made_at"],
                        name="correction_waiting",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("call", "number"), name="correction_in_order")
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
