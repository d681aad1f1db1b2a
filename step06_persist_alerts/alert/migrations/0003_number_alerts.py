from django.db import migrations


def number_alerts(apps, schema_editor):
    """Put the alerts of the time before rooms into the first room, numbered as they came."""
    Alert = apps.get_model("alert", "Alert")
    Room = apps.get_model("chat", "Room")
    alerts = Alert.objects.filter(room=None).order_by("pk")
    if not alerts.exists():
        return
    room = Room.objects.order_by("pk").first() or Room.objects.create(name="General")
    for pk in list(alerts.values_list("pk", flat=True)):
        room.last_seq += 1
        Alert.objects.filter(pk=pk).update(room=room, seq=room.last_seq)
    room.save(update_fields=["last_seq"])


class Migration(migrations.Migration):
    dependencies = [
        ("alert", "0002_alert_room_seq_client_id"),
    ]

    operations = [
        migrations.RunPython(number_alerts, migrations.RunPython.noop),
    ]
