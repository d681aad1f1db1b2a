from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from alert.models import Alert
from alert.posting import save_alert, save_alerts
from chat.models import Room

pytestmark = pytest.mark.usefixtures("demo")


def seqs(saved):
    return [(alert.seq, created) for alert, created in saved]


def test_batch_is_numbered_in_its_order_in_each_room(general, workshop, alice):
    save_alert(general, alice, "before")
    messages = [
        (general, alice, "one", None),
        (workshop, alice, "two", None),
        (general, alice, "three", None),
    ]
    assert seqs(save_alerts(messages)) == [(2, True), (1, True), (3, True)]
    assert seqs(save_alerts(messages)) == [(4, True), (2, True), (5, True)]
    stored = Alert.objects.filter(room=general).order_by("seq")
    assert [alert.content for alert in stored] == ["before", "one", "three", "one", "three"]


def test_message_that_was_sent_before_keeps_its_number(general, workshop, alice):
    bob, client_id = User.objects.get(username="bob"), uuid4()
    again = (general, alice, "hi", client_id)
    others = [(general, bob, "hi", client_id), (workshop, alice, "hi", client_id)]
    assert seqs(save_alerts([again, again, *others])) == [
        (1, True),
        (1, False),
        (2, True),
        (1, True),
    ]
    assert seqs(save_alerts([(general, alice, "next", None), again])) == [(3, True), (1, False)]
    assert Alert.objects.count() == 4


def test_batch_takes_as_many_queries_as_one_message(general, workshop, alice):
    def count_queries(*messages):
        with CaptureQueriesContext(connection) as queries:
            save_alerts(messages)
        return len(queries)

    assert count_queries((general, alice, "hi", uuid4())) == count_queries(
        *((room, alice, "hi", uuid4()) for room in [general, workshop] for _ in range(20))
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("bad", ["room", "user"])
def test_batch_is_saved_whole_or_not_at_all(general, alice, bad):
    good = (general, alice, "hi", None)
    messages = {
        "room": (Room(pk=0), alice, "hi", None),
        "user": (general, User(pk=0), "hi", None),
    }
    with pytest.raises((Room.DoesNotExist, IntegrityError)):
        save_alerts([good, messages[bad]])
    assert not Alert.objects.exists()
    assert seqs(save_alerts([good])) == [(1, True)]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's query plan")
def test_search_for_messages_sent_before_uses_the_unique_index(general, workshop, alice):
    messages = [(room, alice, "hi", uuid4()) for room in [general, workshop] for _ in range(20)]
    with CaptureQueriesContext(connection) as queries:
        save_alerts(messages)
    (search,) = [
        query["sql"]
        for query in queries
        if query["sql"].startswith("SELECT") and '"client_id" IN' in query["sql"]
    ]
    with connection.cursor() as cursor:
        plan = " ".join(row[-1] for row in cursor.execute(f"EXPLAIN QUERY PLAN {search}"))
    assert "(client_id=? AND room_id=?)" in plan
