"""A contract version that has been billed is never edited (M8)."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION callbill_billed_version_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.first_billed_at IS NULL THEN
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a contract version that has been billed is never edited; add a new version'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER contract_version_frozen BEFORE UPDATE OR DELETE ON contracts_contractversion
    FOR EACH ROW EXECUTE FUNCTION callbill_billed_version_frozen();
"""

BACKWARD = """
DROP TRIGGER contract_version_frozen ON contracts_contractversion;
DROP FUNCTION callbill_billed_version_frozen();
"""


class Migration(migrations.Migration):
    dependencies = [("contracts", "0003_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
