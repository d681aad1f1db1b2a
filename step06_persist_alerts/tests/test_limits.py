import pytest

from chat import limits
from chat.limits import TokenBucket

from .servers import run_server


@pytest.fixture
def clock(monkeypatch):
    """A list with one number: the seconds that the limits go by."""
    now = [100.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    return now


def test_burst_is_let_through_and_no_more(clock):
    bucket = TokenBucket(per_second=10, at_once=20)
    assert [bucket.take() for _ in range(21)] == [True] * 20 + [False]


def test_one_more_is_let_through_after_its_time(clock):
    bucket = TokenBucket(per_second=10, at_once=1)
    bucket.take()
    clock[0] += 0.09
    assert not bucket.take()
    clock[0] += 0.02
    assert bucket.take()


def test_time_without_frames_saves_up_no_more_than_a_burst(clock):
    bucket = TokenBucket(per_second=10, at_once=3)
    clock[0] += 3600
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_too_many_frames_get_an_error_and_the_socket_lives_on(live_demo, connect, tmp_path):
    limit = {"FRAMES_AT_ONCE": "3", "FRAMES_PER_SECOND": "2"}
    with run_server(tmp_path / "log", **limit) as server:
        alice = connect("alice", server=server)
        for n in range(40):
            alice.send({"message": f"{n}"})
        assert alice.receive("error")["code"] == "rate_limited"
        while True:
            alice.send({"message": "calm again"})
            while (frame := alice.receive())["msg_type"] not in {"error", "message"}:
                pass
            if frame.get("message") == "calm again":
                break
