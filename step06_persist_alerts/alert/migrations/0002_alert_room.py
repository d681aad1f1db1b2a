import django.db.models.deletion
from django.db import migrations, models


def fill_room(apps, schema_editor):
    """Put the alerts that exist into the first room."""
    Alert = apps.get_model("alert", "Alert")
    Room = apps.get_model("chat", "Room")
    if Alert.objects.exists():
        room = Room.objects.order_by("pk").first() or Room.objects.create(name="General")
        Alert.objects.update(room=room)


class Migration(migrations.Migration):
    dependencies = [
        ("alert", "0001_initial"),
        ("chat", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="alert",
            name="room",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, to="chat.room"
            ),
        ),
        migrations.RunPython(fill_room, migrations.RunPython.noop),
    ]
