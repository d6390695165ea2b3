from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0011_environment"),
    ]

    operations = [
        migrations.AddField(
            model_name="collectionplan",
            name="planned_because",
            field=models.CharField(blank=True, help_text="Why then: a `dunning.Why`.", max_length=40),
        ),
    ]
