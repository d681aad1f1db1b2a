import socket

import pytest
from websockets.exceptions import InvalidStatus

from .servers import wait_until

BAD_FRAMES = [
    ("hi", "bad_json"),
    ("", "bad_json"),
    ("[" * 4000, "bad_json"),
    ([], "bad_frame"),
    ({}, "bad_frame"),
    ({"message": 1}, "bad_frame"),
    ({"message": "\ud83d"}, "bad_frame"),
    (b'{"message": "hi"}', "bad_frame"),
    (b"", "bad_frame"),
    ({"message": "  "}, "blank"),
    ({"message": "x" * 201}, "too_long"),
    (" " * 4097, "too_long"),
]


def refused(connect, *args, **options):
    """Return the HTTP status that the handshake gets."""
    with pytest.raises(InvalidStatus) as refusal:
        connect(*args, **options)
    return refusal.value.response.status_code


@pytest.fixture
def new_log(server_log, connect):
    """A function that returns what the server has logged since the test began."""
    start = len(server_log.read_text())
    return lambda: server_log.read_text()[start:]


def test_message_is_not_changed(connect):
    alice = connect("alice")
    alice.send({"message": " <b>hi</b> & bye\n"})
    assert alice.next_message() == " <b>hi</b> & bye\n"


def test_anonymous_is_refused(connect):
    assert refused(connect, None) == 403


@pytest.mark.parametrize("username", ["carol", "teacher"])
def test_non_member_is_refused(connect, username):
    assert refused(connect, username) == 403


@pytest.mark.parametrize("room_id", [0, 999, 10**30])
def test_room_that_does_not_exist_is_refused(connect, room_id):
    assert refused(connect, "alice", f"ws/chat/room/{room_id}") == 403


def test_page_of_another_site_is_refused(connect):
    assert refused(connect, "alice", origin="https://evil.example") == 403


def test_client_without_an_origin_is_refused(connect):
    assert refused(connect, "alice", origin=None) == 403


def test_session_that_was_ended_is_refused(connect, alice):
    alice.is_active = False
    alice.save()
    assert refused(connect, "alice") == 403


def test_refusals_leave_no_traceback_in_the_log(connect, new_log):
    refused(connect, None)
    refused(connect, "carol")
    refused(connect, "alice", "ws/chat/room/999")
    refused(connect, "alice", origin="https://evil.example")
    wait_until(lambda: new_log().count("WebSocket REJECT") == 4)
    assert "Traceback" not in new_log()


@pytest.mark.parametrize("path", ["ws/chat/room/1/", "ws/nowhere"])
def test_path_without_a_route_is_refused(connect, new_log, path):
    assert refused(connect, "alice", path) == 403
    assert "Traceback" not in new_log()


def test_bad_frames_get_an_error_and_the_socket_stays_open(connect, new_log):
    alice = connect("alice")
    for frame, code in BAD_FRAMES:
        alice.send(frame)
        error = alice.receive("error")
        assert (error["code"], bool(error["message"])) == (code, True), frame
    alice.send({"message": "still here"})
    assert alice.next_message() == "still here"
    assert "Traceback" not in new_log()


def test_client_that_vanishes_leaves_no_traceback(connect, new_log):
    connect("alice").connection.socket.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: "'alice' left 'General'" in new_log())
    assert "Traceback" not in new_log()


def test_log_says_who_joined_and_who_left(connect, new_log):
    alice = connect("alice")
    wait_until(lambda: "'alice' joined 'General'" in new_log())
    alice.close()
    wait_until(lambda: "'alice' left 'General' (code 1000)" in new_log())
