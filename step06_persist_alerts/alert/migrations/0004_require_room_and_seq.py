import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("alert", "0003_number_alerts"),
    ]

    operations = [
        migrations.AlterField(
            model_name="alert",
            name="room",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="chat.room"),
        ),
        migrations.AlterField(
            model_name="alert",
            name="seq",
            field=models.PositiveBigIntegerField(),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(fields=("room", "seq"), name="one_alert_per_number"),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(
                fields=("room", "user", "client_id"), name="one_alert_per_client_id"
            ),
        ),
    ]
