from django.db import migrations, models

_WORDS = models.TextField(blank=True, help_text="The words as they were shown, with the names of then.")


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0012_planned_because"),
    ]

    operations = [
        migrations.AddField(model_name="cardsetup", name="mandate_text", field=_WORDS.clone()),
        migrations.AddField(model_name="cardconsent", name="mandate_text", field=_WORDS.clone()),
    ]
