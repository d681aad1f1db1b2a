from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alert.models import Alert
from alert.posting import save_alert, save_alerts

pytestmark = pytest.mark.usefixtures("live_demo")


def save_at_once(room, user, client_ids):
    """Save an alert for each client_id, from four threads; return the pairs of save_alert."""

    def save(client_id):
        try:
            return save_alert(room, user, "hi", client_id)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(save, client_ids))


def test_alerts_that_are_saved_at_once_have_numbers_without_holes(general, alice):
    saved = save_at_once(general, alice, [uuid4() for _ in range(40)])
    assert sorted(alert.seq for alert, _ in saved) == list(range(1, 41))
    general.refresh_from_db()
    assert general.last_seq == 40


def test_alert_that_is_sent_many_times_at_once_is_stored_once(general, alice):
    saved = save_at_once(general, alice, [uuid4()] * 20)
    assert sorted(created for _, created in saved) == [False] * 19 + [True]
    assert {alert.seq for alert, _ in saved} == {1}
    assert Alert.objects.count() == 1


def test_rooms_are_numbered_apart_when_saved_at_once(general, workshop, alice):
    with ThreadPoolExecutor(2) as threads:
        both = [
            threads.submit(save_at_once, room, alice, [uuid4() for _ in range(10)])
            for room in [general, workshop]
        ]
        for saved in both:
            assert sorted(alert.seq for alert, _ in saved.result()) == list(range(1, 11))


def test_many_alerts_are_numbered_in_their_order(general, alice):
    client_id = uuid4()
    drafts = [(alice, "one", None), (alice, "two", client_id), (alice, "2", client_id)]
    saved = save_alerts(general, [*drafts, (alice, "three", None)])
    assert [(alert.seq, created) for alert, created in saved] == [
        (1, True),
        (2, True),
        (2, False),
        (3, True),
    ]
    assert [alert.content for alert in Alert.objects.order_by("seq")] == ["one", "two", "three"]
    assert save_alert(general, alice, "next")[0].seq == 4


def test_many_alerts_take_as_many_queries_as_one(general, alice):
    taken = set()
    for count in [1, 30]:
        drafts = [(alice, "hi", uuid4()) for _ in range(count)]
        with CaptureQueriesContext(connection) as queries:
            save_alerts(general, drafts)
        taken.add(len(queries))
    assert len(taken) == 1


def test_many_alerts_are_saved_all_or_none(general, alice):
    with pytest.raises(ValueError, match="unsaved"):
        save_alerts(general, [(alice, "hi", None), (User(username="not saved"), "hi", None)])
    assert not Alert.objects.exists()
    assert save_alert(general, alice, "hi")[0].seq == 1


def test_alert_whose_transaction_fails_leaves_no_hole(general, alice):
    with pytest.raises(ValueError, match="unsaved"):
        save_alert(general, User(username="not saved"), "hi")
    assert save_alert(general, alice, "hi")[0].seq == 1
