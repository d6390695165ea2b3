"""An issued invoice is frozen: only its being paid goes on (M19)."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION callbill_issued_invoice_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER invoice_frozen BEFORE UPDATE OR DELETE ON invoicing_invoice
    FOR EACH ROW EXECUTE FUNCTION callbill_issued_invoice_frozen();

CREATE FUNCTION callbill_part_of_issued_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    section uuid;
    parent record;
    touched jsonb;
BEGIN
    IF TG_OP = 'DELETE' THEN touched := to_jsonb(OLD); ELSE touched := to_jsonb(NEW); END IF;
    IF TG_TABLE_NAME = 'invoicing_invoicesection' THEN
        SELECT status, number INTO parent FROM invoicing_invoice WHERE id = (touched->>'invoice_id')::uuid;
    ELSE
        SELECT i.status, i.number INTO parent FROM invoicing_invoicesection s
            JOIN invoicing_invoice i ON i.id = s.invoice_id WHERE s.id = (touched->>'section_id')::uuid;
    END IF;
    IF parent.status IS DISTINCT FROM 'draft' THEN
        RAISE EXCEPTION 'invoice % is issued and frozen, with all its parts', parent.number
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER section_frozen BEFORE INSERT OR UPDATE OR DELETE ON invoicing_invoicesection
    FOR EACH ROW EXECUTE FUNCTION callbill_part_of_issued_frozen();
CREATE TRIGGER stretch_frozen BEFORE INSERT OR UPDATE OR DELETE ON invoicing_stretch
    FOR EACH ROW EXECUTE FUNCTION callbill_part_of_issued_frozen();
CREATE TRIGGER line_frozen BEFORE INSERT OR UPDATE OR DELETE ON invoicing_invoiceline
    FOR EACH ROW EXECUTE FUNCTION callbill_part_of_issued_frozen();

CREATE FUNCTION callbill_document_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a document that was given out is kept as it is'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER document_frozen BEFORE UPDATE OR DELETE ON invoicing_invoicedocument
    FOR EACH ROW EXECUTE FUNCTION callbill_document_frozen();
"""

BACKWARD = """
DROP TRIGGER invoice_frozen ON invoicing_invoice;
DROP TRIGGER section_frozen ON invoicing_invoicesection;
DROP TRIGGER stretch_frozen ON invoicing_stretch;
DROP TRIGGER line_frozen ON invoicing_invoiceline;
DROP TRIGGER document_frozen ON invoicing_invoicedocument;
DROP FUNCTION callbill_issued_invoice_frozen();
DROP FUNCTION callbill_part_of_issued_frozen();
DROP FUNCTION callbill_document_frozen();
"""


class Migration(migrations.Migration):
    dependencies = [("invoicing", "0002_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
