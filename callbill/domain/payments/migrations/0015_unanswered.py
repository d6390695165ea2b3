from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0014_given_up_at"),
    ]

    operations = [
        migrations.AddField(
            model_name="collectionrun",
            name="unanswered",
            field=models.BooleanField(
                default=False, help_text="A Stripe that gave no answer ended it early."
            ),
        ),
    ]
