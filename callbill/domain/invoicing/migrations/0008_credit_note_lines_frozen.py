"""The lines of a credit note have no PDF, so that their trigger must not look at one."""

from django.db import migrations

FORWARD = """
CREATE OR REPLACE FUNCTION callbill_credit_note_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    paper text[] := ARRAY['pdf', 'sha256'];
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'invoicing_creditnote' THEN
        IF to_jsonb(OLD)->>'sha256' = '' AND to_jsonb(OLD) - paper = to_jsonb(NEW) - paper THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'a credit note is issued and frozen' USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("invoicing", "0007_corrections_and_outages")]
    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
