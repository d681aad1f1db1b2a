"""Frames and query strings of any kind: each gets what it deserves, and nobody else notices.

HYPOTHESIS_PROFILE=long tries more of them, and others each time.
"""

import json
import os
import re
import socket
from contextlib import ExitStack
from urllib.parse import quote_from_bytes, urlsplit
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import Phase, configuration, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from websockets.exceptions import ConnectionClosed

from alert.models import Alert
from alert.posting import save_alert
from chat.models import Room

from .servers import run_server, wait_until
from .sessions import session_of
from .sockets import TIMEOUT, history, nothing_arrives, open_socket

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
MORE = 20 if LONG else 1
# A failure names its frame; to look for a smaller batch takes minutes.
PHASES = [Phase.generate, Phase.shrink] if LONG else [Phase.generate]
STABLE = settings(deadline=None, database=None, derandomize=not LONG, phases=PHASES)

BATCH = 50  # frames
BATCHES = 60 * MORE
STORED = 60  # messages, more than a client gets that names no number
CLIENT_IDS = [str(UUID(int=n)) for n in range(3)]  # so few that many are sent again

STRANGE = [
    "\0",
    "a\0b",
    "\ud83d",
    "\udc00 half",
    "\u2067\u202e right to left \u05d0",
    "\u2028\u2029\r\n\x1b[31m",
    "\U0010ffff\ufeff",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "%s %n {0}",
    " \t\u2003",
]
NOT_QUITE_JSON = [
    "",
    "NaN",
    "-Infinity",
    "1e999",
    '{"sync": 1e999}',
    '{"sync": NaN}',
    '{"sync": -0}',
    '{"sync": ' + "9" * 4000 + "}",
    '{"message": 1, "message": "the last counts"}',
    '{"message": "hi",}',
    '{"message": "\\ud83d\\ude00"}',
    "\ufeff{}",
    '{"message": "a raw\nnewline"}',
    "[" * 2000,
    "[" * 2000 + "]" * 2000,
    '{"message": "deep", "more": ' + "[" * 2000 + "]" * 2000 + "}",
    '{"a":' * 500 + "1" + "}" * 500,
]

strings = st.text(st.characters(), max_size=20) | st.sampled_from(STRANGE)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | strings
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strings, inner, max_size=3),
    max_leaves=6,
)
long_strings = st.builds(
    lambda letter, size: letter * size, st.sampled_from("xé\U0001f600"), st.integers(198, 203)
)
objects = st.fixed_dictionaries(
    {},
    optional={
        "message": strings | long_strings | values,
        "client_id": st.sampled_from(CLIENT_IDS) | st.uuids().map(str) | values,
    },
)
far = st.integers(10**6, 10**40)  # all that was said, over and over, would take too long
syncs = st.fixed_dictionaries(
    {"sync": far | values.filter(lambda value: type(value) is not int or value < 0)},
    optional={"message": strings},
)
plain_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
frames = st.one_of(
    objects.map(json.dumps),
    syncs.map(json.dumps),
    values.map(json.dumps),
    st.builds(lambda frame, size: json.dumps(frame).ljust(size), objects, st.integers(4095, 4098)),
    st.sampled_from(NOT_QUITE_JSON),
    plain_text,
    st.binary(max_size=40),
    objects.map(lambda frame: json.dumps(frame).encode()),
)


def deserved(frame):
    """Return the answers that the contract allows for a frame: codes of errors, `ack`, `synced`."""
    if isinstance(frame, bytes):
        return {"bad_frame"}
    if len(frame.encode()) > 4096:
        return {"too_long"}
    try:
        content = json.loads(frame)
    except (ValueError, RecursionError):
        return {"bad_json"}
    answers = deserved_by_object(content) if isinstance(content, dict) else {"bad_frame"}
    too_deep = frame.count("[") + frame.count("{") > 100  # how deep is too deep is up to Python
    return answers | {"bad_json"} if too_deep else answers


def deserved_by_object(content):
    """Do the same for an object; one with several faults may be told of any of them."""
    if "sync" in content:
        seq = content["sync"]
        return {"synced"} if type(seq) is int and seq >= 0 else {"bad_frame"}
    faults = faults_of_message(content.get("message"))
    if content.get("client_id") is not None and not is_uuid(content["client_id"]):
        faults.add("bad_frame")
    return faults or {"ack"}


def faults_of_message(message):
    if not isinstance(message, str):
        return {"bad_frame"}
    faults = {
        "blank": not message.strip(),
        "too_long": len(message) > 200,
        "bad_frame": any(char == "\0" or "\ud800" <= char <= "\udfff" for char in message),
    }
    return {code for code, is_there in faults.items() if is_there}


def is_uuid(value):
    form = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    return isinstance(value, str) and re.fullmatch(form, value) is not None


@pytest.fixture(scope="session", autouse=True)
def no_traces(tmp_path_factory):
    """Hypothesis keeps what it remembers away from the source code."""
    configuration.set_hypothesis_home_dir(tmp_path_factory.mktemp("hypothesis"))


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """The path of what the server of this module has logged."""
    return tmp_path_factory.mktemp("fuzz") / "log"


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker, log):
    """The address of a server process that takes as much as it can."""
    limits = dict.fromkeys(["FRAMES_AT_ONCE", "FRAMES_PER_SECOND", "SOCKETS_PER_USER"], "1000000")
    with django_db_blocker.unblock(), run_server(log, **limits) as url:
        yield url


@pytest.fixture
def no_traceback(server, log):
    """A function that waits for the end of all sockets, then looks for a traceback in the log."""
    start = len(log.read_text())

    def check():
        def is_quiet():
            return text().count(" joined ") <= text().count(" left ")

        def text():
            return log.read_text()[start:]

        wait_until(is_quiet)
        assert "Traceback" not in text()

    return check


@pytest.fixture
def stored(live_demo, general, alice):
    """General with so many messages."""
    for n in range(STORED):
        save_alert(general, alice, f"{n}")
    return general


class Conversation:
    """Alice sends anything and Bob listens, on one socket each as long as nothing goes wrong."""

    def __init__(self, connect):
        self.connect = connect
        self.sent = 0
        self.start()

    def start(self):
        self.alice, self.bob = [self.connect(name, ping_interval=None) for name in ["alice", "bob"]]
        history(self.alice)
        _, self.heard = history(self.bob)
        alerts = Alert.objects.exclude(client_id=None)
        self.seqs = {str(alert.client_id): alert.seq for alert in alerts}
        self.last_seq = self.heard

    def take(self, batch):
        """Send the frames and a marker, and check what comes of it."""
        batch = [*batch, json.dumps({"message": "marker", "client_id": str(uuid4())})]
        try:
            for frame in batch:
                self.alice.send(frame)
            self.check_answers(batch)
            self.check_news()
        except BaseException:
            self.start()  # Hypothesis tries smaller batches: they must not suffer from this one
            raise
        self.sent += len(batch)

    def check_answers(self, batch):
        """Read one answer to each frame, in their order; `synced` alone may come out of turn."""
        in_turn = [frame for frame in batch if deserved(frame) != {"synced"}]
        synced = len(batch) - len(in_turn)
        for frame in in_turn:
            while (answer := self.next_answer())["msg_type"] == "synced":
                synced -= 1
            self.check_answer(answer, frame)
        for _ in range(synced):
            assert self.next_answer()["msg_type"] == "synced"
        assert synced >= 0

    def next_answer(self):
        """Return the next frame that Alice gets that isn't a message of the room."""
        while (frame := self.alice.receive())["msg_type"] == "message":
            pass
        return frame

    def check_answer(self, answer, frame):
        kind = answer["code"] if answer["msg_type"] == "error" else answer["msg_type"]
        assert kind in deserved(frame), frame
        if kind != "ack":
            assert answer["message"]
            return
        client_id = json.loads(frame).get("client_id")
        seq = self.seqs.get(client_id, self.last_seq + 1)
        assert answer == {"msg_type": "ack", "client_id": client_id, "seq": seq}, frame
        self.last_seq = max(self.last_seq, seq)
        if client_id:
            self.seqs[client_id] = seq

    def check_news(self):
        """Read what Bob gets: the new messages, in their order, and nothing else."""
        while self.heard < self.last_seq:
            frame = self.bob.receive()
            assert (frame["msg_type"], frame["seq"]) == ("message", self.heard + 1)
            alert = Alert.objects.get(seq=frame["seq"])
            assert (frame["username"], frame["message"]) == ("alice", alert.content)
            self.heard += 1
        assert frame["message"] == "marker"


def test_each_of_thousands_of_frames_gets_what_it_deserves(connect, no_traceback):
    conversation = Conversation(connect)
    alice = conversation.alice

    @settings(STABLE, max_examples=BATCHES)
    @given(st.lists(frames, min_size=BATCH, max_size=BATCH))
    def send_batches(batch):
        conversation.take(batch)

    send_batches()
    assert conversation.alice is alice
    assert conversation.sent >= BATCHES * BATCH
    assert Alert.objects.count() == conversation.last_seq
    for open_one in [conversation.alice, conversation.bob]:
        open_one.close()
    no_traceback()


def test_text_frame_that_is_not_utf_8_closes_its_own_socket_alone(connect, no_traceback):
    alice, bob = connect("alice"), connect("bob")
    history(bob)
    alice.connection.send(b'{"message": "\xff"}', text=True)
    with pytest.raises(ConnectionClosed):
        alice.receive("error")
    assert nothing_arrives(bob)
    bob.close()
    no_traceback()


NOT_QUITE_NUMBERS = ["", "-1", "+1", "1.0", "0x1", " 1", "1\n", "1\0", "²", "\u0661", "9" * 8000]

numbers = st.integers(0, STORED + 2) | st.integers(0, 10**101)
any_bytes = st.binary(max_size=20)
after = st.one_of(
    numbers.map(lambda number: f"{number}".encode()),
    st.sampled_from(NOT_QUITE_NUMBERS).map(str.encode),
    any_bytes,
)
others = st.sampled_from([b"After", b"after[]", b""]) | any_bytes
parameters = st.lists(st.tuples(st.just(b"after"), after) | st.tuples(others, after), max_size=4)


def quoted(pairs):
    return "&".join(f"{quote_from_bytes(key)}={quote_from_bytes(value)}" for key, value in pairs)


def test_any_query_string_is_answered_with_the_history(stored, connect, no_traceback):
    def check(pairs):
        alice = connect("alice", f"ws/chat/room/{stored.pk}?{quoted(pairs)}")
        values = [value for key, value in pairs if key == b"after"]
        expected = range(STORED - 50 + 1, STORED + 1)
        if values and re.fullmatch(b"[0-9]{1,100}", values[-1]):
            expected = range(int(values[-1]) + 1, STORED + 1)
        elif values:
            assert alice.receive()["code"] == "bad_frame"
        assert history(alice) == (list(expected), STORED)
        alice.close()

    bob = connect("bob")
    history(bob)
    for text in NOT_QUITE_NUMBERS:
        check([(b"after", text.encode())])
    settings(STABLE, max_examples=60 * MORE)(given(parameters)(check))()
    assert nothing_arrives(bob)
    bob.close()
    no_traceback()


def status_of_handshake(server, session, target):
    """Return the HTTP status of a handshake with those bytes as its address."""
    url = urlsplit(server)
    head = [
        b"GET " + target + b" HTTP/1.1",
        f"Host: {url.netloc}".encode(),
        f"Origin: {server}".encode(),
        f"Cookie: sessionid={session}".encode(),
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: c2l4dGVlbiBieXRlcyEhIQ==",
    ]
    with socket.create_connection((url.hostname, url.port), TIMEOUT) as connection:
        connection.sendall(b"\r\n".join([*head, b"", b""]))
        return int(connection.makefile("rb").readline().split()[1])


def test_raw_bytes_as_a_query_string_are_taken_or_refused(stored, server, connect, no_traceback):
    @settings(STABLE, max_examples=100 * MORE)
    @given(st.binary(max_size=50) | st.text("&=;%+aft0ßer#/?[]", max_size=50).map(str.encode))
    def shake_hands(query):
        target = f"/ws/chat/room/{stored.pk}?after=".encode() + query
        status = status_of_handshake(server, session, target)
        assert status == 101 or 400 <= status < 500

    session = session_of("alice")
    bob = connect("bob")
    history(bob)
    shake_hands()
    assert nothing_arrives(bob)
    bob.close()
    no_traceback()


people = st.sampled_from(["alice", "bob"])
messages = st.sampled_from(["hi", "<b>hi</b>", " blanks stay ", "x" * 200, "\u202e\U0001f600"])
client_ids = st.none() | st.sampled_from(CLIENT_IDS)
garbage = frames.filter(lambda frame: not deserved(frame) & {"ack", "synced"})


class RoomMachine(RuleBasedStateMachine):
    """Two people in a new room, what they do, and what each of them must get for it."""

    def __init__(self, server, sessions):
        super().__init__()
        self.server, self.sessions = server, sessions
        self.room = Room.objects.create(name=f"{uuid4()}")
        self.room.users.set(User.objects.filter(username__in=sessions))
        self.stored = []  # the frames of the messages, as everybody must get them
        self.seqs = {}  # by sender and client_id
        self.closing = ExitStack()
        self.online = {}
        for name in sessions:
            self.come_back(name, 0)

    def teardown(self):
        self.closing.close()

    def gets(self, name, *frames):
        """Check that these frames come next; an ack and its message may change places."""
        got = [self.online[name].receive() for _ in frames]
        assert sorted(got, key=repr) == sorted(frames, key=repr)

    def gets_history(self, name, after):
        self.gets(name, *self.stored[after:])
        self.gets(name, {"msg_type": "synced", "seq": len(self.stored)})

    def store(self, frame, name, message, client_id):
        """Take a new message into the model; the first who gets it says when it was stored."""
        assert frame == {
            "msg_type": "message",
            "room_id": self.room.pk,
            "seq": len(self.stored) + 1,
            "username": name,
            "message": message,
            "client_id": client_id,
            "create_at": frame["create_at"],
        }
        self.stored.append(frame)
        if client_id:
            self.seqs[name, client_id] = frame["seq"]

    @rule(name=people, message=messages, client_id=client_ids)
    def say(self, name, message, client_id):
        if name not in self.online:
            return
        known = self.seqs.get((name, client_id))
        ack = {"msg_type": "ack", "client_id": client_id, "seq": known or len(self.stored) + 1}
        self.online[name].send({"message": message, "client_id": client_id})
        if known:
            self.gets(name, ack)
            return
        frames = sorted(
            [self.online[name].receive() for _ in range(2)], key=lambda f: f["msg_type"]
        )
        assert frames[0] == ack
        self.store(frames[1], name, message, client_id)
        for other in set(self.online) - {name}:
            self.gets(other, self.stored[-1])

    @rule(name=people, message=messages, client_id=client_ids)
    def post(self, name, message, client_id):
        client = Client()
        client.cookies["sessionid"] = self.sessions[name]
        form = {"content": message} | ({"client_id": client_id} if client_id else {})
        response = client.post(f"/alert/room/{self.room.pk}/", form)
        known = self.seqs.get((name, client_id))
        if known:
            assert (response.status_code, response.json()) == (200, self.stored[known - 1])
            return
        assert response.status_code == 201
        self.store(response.json(), name, message.strip(), client_id)
        for everybody in self.online:
            self.gets(everybody, self.stored[-1])

    @rule(name=people, after=st.integers(0, 12))
    def sync(self, name, after):
        if name not in self.online:
            return
        self.online[name].send({"sync": after})
        self.gets_history(name, after)

    @rule(name=people, frame=garbage)
    def send_garbage(self, name, frame):
        if name not in self.online:
            return
        self.online[name].send(frame)
        answer = self.online[name].receive()
        assert answer["msg_type"] == "error"
        assert answer["code"] in deserved(frame)

    @rule(name=people)
    def leave(self, name):
        if name not in self.online:
            return
        self.online.pop(name).close()

    @rule(name=people, after=st.integers(0, 12))
    def come_back(self, name, after):
        self.leave(name)
        path = f"ws/chat/room/{self.room.pk}?after={after}"
        new = open_socket(self.server, path, self.sessions[name], ping_interval=None)
        self.online[name] = self.closing.enter_context(new)
        self.gets_history(name, after)


def test_whatever_two_people_do_both_get_every_message_once_in_order(
    live_demo, server, no_traceback
):
    sessions = {name: session_of(name) for name in ["alice", "bob"]}
    steps = settings(STABLE, max_examples=15 * MORE, stateful_step_count=20)
    run_state_machine_as_test(lambda: RoomMachine(server, sessions), settings=steps)
    no_traceback()
