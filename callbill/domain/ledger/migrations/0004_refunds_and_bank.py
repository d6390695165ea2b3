"""Accounts for refunds on their way and for money that came by bank."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_bad_debt")]

    operations = [
        migrations.AlterField(
            model_name="posting",
            name="account",
            field=models.CharField(
                choices=[
                    ("receivable", "Accounts receivable"),
                    ("customer_balance", "Customer balance (credit held)"),
                    ("revenue", "Revenue"),
                    ("tax_payable", "Tax payable"),
                    ("stripe_clearing", "Stripe clearing"),
                    ("bad_debt", "Bad debt"),
                    ("refunds_payable", "Refunds on their way"),
                    ("bank", "Bank (paid without the gateway)"),
                ],
                max_length=30,
            ),
        ),
    ]
