"""What the figures of a run are, and what is wrong with them."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple


class Message(NamedTuple):
    """A message as it was stored, or as a client has got it."""

    seq: int
    client_id: str
    username: str
    text: str

    @classmethod
    def of(cls, frame):
        return cls(frame["seq"], frame["client_id"], frame["username"], frame["message"])


@dataclass
class Result:
    """The figures of a run; it is good if there are no `problems`, which are sentences."""

    consumer: str
    database: str
    seed: int
    seconds: float = 0
    sent: int = 0  # different messages
    acked: int = 0
    stored: int = 0
    deliveries: int = 0  # that there had to be: every stored message to every client
    lost: int = 0  # messages that weren't stored, and deliveries that never came
    twice: int = 0  # messages stored twice, and frames that came again and weren't asked for
    out_of_order: int = 0  # frames that were not the next of their connection
    gaps: int = 0  # times that a client saw that something was missing, and asked for it
    reconnects: int = 0
    faults: Counter = field(default_factory=Counter)  # by kind
    closes: Counter = field(default_factory=Counter)  # of sockets and handshakes, by code
    errors: Counter = field(default_factory=Counter)  # error frames, by code
    dropped: int = 0  # times that the reader who never reads was given up
    tracebacks: Counter = field(default_factory=Counter)  # in the servers' logs, by last line
    memory: list = field(default_factory=list)  # pairs of seconds and bytes
    problems: list = field(default_factory=list)

    def complain(self, things, sentence):
        """Note a problem if there are such things; {} in the sentence is their number."""
        if things:
            some = ", ".join(map(str, list(things)[:3]))
            self.problems.append(f"{sentence.format(len(things))} (such as {some})")


def judge(result, sent, acked, stored, lists):
    """Compare what was sent, acked, stored and received; note figures and problems in `result`.

    `sent` has (username, text) and `acked` the numbers by client_id; `stored` is a list of
    Message; `lists` has what each client has taken, in its order, by the name of the client.
    """
    result.sent, result.acked, result.stored = len(sent), len(acked), len(stored)
    result.deliveries = len(stored) * len(lists)
    judge_stored(result, sent, acked, stored)
    for name, taken in lists.items():
        judge_list(result, name, taken, stored)


def judge_stored(result, sent, acked, stored):
    """Compare what was sent and acked with what is stored."""
    times = Counter(message.client_id for message in stored)
    seqs = {message.client_id: message.seq for message in stored}
    missing = sent.keys() - times.keys()
    result.lost += len(missing)
    result.twice += times.total() - len(times)
    result.complain(missing, "{} messages were sent and not stored")
    result.complain(missing & acked.keys(), "{} messages were acked and not stored")
    result.complain(sent.keys() - acked.keys(), "{} messages were never acked")
    result.complain([i for i in times if times[i] > 1], "{} messages are stored twice")
    result.complain(times.keys() - sent.keys(), "{} stored messages were never sent")
    wrong = [i for i, numbers in acked.items() if i in seqs and numbers != {seqs[i]}]
    result.complain(wrong, "{} messages were acked with a number that isn't theirs")
    changed = [m.seq for m in stored if sent.get(m.client_id, m[2:]) != m[2:]]
    result.complain(changed, "{} messages are stored with another text or user")
    holes = [m.seq for n, m in enumerate(stored, 1) if m.seq != n]
    result.complain(holes, "{} numbers are not the next: they have holes")


def judge_list(result, name, taken, stored):
    """Compare what a client has taken with what is stored."""
    missing = set(stored) - set(taken)
    result.lost += len(missing)
    result.twice += len(taken) - len(set(taken))
    result.complain(sorted(m.seq for m in missing), f"{name} lacks {{}} messages")
    wrong = [ours.seq for ours, theirs in zip_longest(taken, stored) if ours and ours != theirs]
    result.complain(not missing and wrong, f"{name} has {{}} messages out of place")
