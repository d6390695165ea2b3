from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_dunning_and_chargebacks")]
    operations = [
        migrations.AddIndex(
            model_name="posting",
            index=models.Index(fields=["account", "currency"], name="posting_account_currency"),
        )
    ]
