"""The audit log only grows."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION callbill_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log only grows' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER staff_action_append_only BEFORE UPDATE OR DELETE ON users_staffaction
    FOR EACH ROW EXECUTE FUNCTION callbill_audit_append_only();
CREATE TRIGGER staff_action_no_truncate BEFORE TRUNCATE ON users_staffaction
    FOR EACH STATEMENT EXECUTE FUNCTION callbill_audit_append_only();
"""

BACKWARD = """
DROP TRIGGER staff_action_append_only ON users_staffaction;
DROP TRIGGER staff_action_no_truncate ON users_staffaction;
DROP FUNCTION callbill_audit_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("users", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
