"""What goes on living on an issued invoice, and credit notes that are kept as they were given out."""

from django.db import migrations

FORWARD = """
CREATE OR REPLACE FUNCTION callbill_issued_invoice_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    living text[] := ARRAY['status', 'paid_minor', 'credited_minor', 'paid_at', 'past_due_at', 'closed_at'];
BEGIN
    IF OLD.status = 'draft' THEN
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'invoice % is issued and cannot be deleted', OLD.number
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF to_jsonb(OLD) - living <> to_jsonb(NEW) - living THEN
        RAISE EXCEPTION 'invoice % is issued and frozen', OLD.number
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION callbill_credit_note_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'invoicing_creditnote' AND OLD.sha256 = ''
        AND to_jsonb(OLD) - ARRAY['pdf', 'sha256'] = to_jsonb(NEW) - ARRAY['pdf', 'sha256'] THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a credit note is issued and frozen' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER credit_note_frozen BEFORE UPDATE OR DELETE ON invoicing_creditnote
    FOR EACH ROW EXECUTE FUNCTION callbill_credit_note_frozen();
CREATE TRIGGER credit_note_line_frozen BEFORE UPDATE OR DELETE ON invoicing_creditnoteline
    FOR EACH ROW EXECUTE FUNCTION callbill_credit_note_frozen();
"""

BACKWARD = """
CREATE OR REPLACE FUNCTION callbill_issued_invoice_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    living text[] := ARRAY['status', 'paid_minor', 'paid_at', 'past_due_at'];
BEGIN
    IF OLD.status = 'draft' THEN
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'invoice % is issued and cannot be deleted', OLD.number
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF to_jsonb(OLD) - living <> to_jsonb(NEW) - living THEN
        RAISE EXCEPTION 'invoice % is issued and frozen', OLD.number
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER credit_note_frozen ON invoicing_creditnote;
DROP TRIGGER credit_note_line_frozen ON invoicing_creditnoteline;
DROP FUNCTION callbill_credit_note_frozen();
"""


class Migration(migrations.Migration):
    dependencies = [("invoicing", "0005_credits")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
