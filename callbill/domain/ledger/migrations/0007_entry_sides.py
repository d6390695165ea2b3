"""An entry says how many sides it has, so that a balanced pair cannot be added to it afterwards (M25)."""

from django.db import migrations, models

# What is there already is counted; the guard against changing an entry stands back only for that.
COUNT = """
ALTER TABLE ledger_entry DISABLE TRIGGER ledger_entry_append_only;
UPDATE ledger_entry e SET sides = (SELECT count(*) FROM ledger_posting p WHERE p.entry_id = e.id);
ALTER TABLE ledger_entry ENABLE TRIGGER ledger_entry_append_only;
"""
_FUNCTION = """
CREATE OR REPLACE FUNCTION callbill_entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    entry uuid;
    off record;
BEGIN
    IF TG_TABLE_NAME = 'ledger_posting' THEN entry := NEW.entry_id; ELSE entry := NEW.id; END IF;
    IF NOT EXISTS (SELECT 1 FROM ledger_posting WHERE entry_id = entry) THEN
        RAISE EXCEPTION 'ledger entry % has no postings', entry
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    {sides}
    SELECT currency, sum(amount_minor) AS difference INTO off FROM ledger_posting
        WHERE entry_id = entry GROUP BY currency HAVING sum(amount_minor) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger entry % is off by % %', entry, off.difference, off.currency
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
"""
_SIDES = """
    IF (SELECT sides FROM ledger_entry WHERE id = entry)
       <> (SELECT count(*) FROM ledger_posting WHERE entry_id = entry) THEN
        RAISE EXCEPTION 'ledger entry % has other postings than it was made with', entry
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0006_posting_account_currency")]
    operations = [
        migrations.AddField(
            model_name="entry",
            name="sides",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="How many postings it has, for good; the database holds it to that."
            ),
            preserve_default=False,
        ),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
        migrations.RunSQL(
            _FUNCTION.format(sides=_SIDES),
            _FUNCTION.format(sides=""),
        ),
    ]
