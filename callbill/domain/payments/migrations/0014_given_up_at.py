from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0013_mandate_text"),
    ]

    operations = [
        migrations.AddField(
            model_name="paymentattempt",
            name="given_up_at",
            field=models.DateTimeField(null=True, help_text="When staff did; what is not over is canceled."),
        ),
    ]
