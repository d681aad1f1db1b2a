import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def number_alerts(apps, schema_editor):
    """Number the alerts of each room in the order of their ids."""
    Alert = apps.get_model("alert", "Alert")
    for room in apps.get_model("chat", "Room").objects.all():
        for alert in Alert.objects.filter(room=room).order_by("pk"):
            room.last_seq += 1
            Alert.objects.filter(pk=alert.pk).update(seq=room.last_seq)
        room.save(update_fields=["last_seq"])


class Migration(migrations.Migration):
    dependencies = [
        ("alert", "0003_require_room"),
        ("chat", "0002_room_last_seq"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="alert",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="client_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="alert",
            name="seq",
            field=models.PositiveBigIntegerField(default=0),
            preserve_default=False,
        ),
        migrations.RunPython(number_alerts, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(fields=("room", "seq"), name="unique_seq"),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(
                fields=("client_id", "room", "user"), name="unique_client_id"
            ),
        ),
    ]
