from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("invoicing", "0010_dunning_and_chargebacks"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                fields=["number"],
                condition=Q(status="paid") & (Q(credited_minor__gt=0) | Q(carried_minor__gt=0)),
                name="invoice_settled_otherwise",
            ),
        ),
    ]
