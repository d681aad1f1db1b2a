"""Compare what was sent, acknowledged, stored and received."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Verdict:
    """The counts of a run. `numbered`: the step numbers messages and acknowledges them (7+)."""

    numbered: bool
    sent: int
    acked: int
    stored: int
    deliveries: int  # every stored message to every client
    not_stored: int  # sent, but not in the database; or not under the number acknowledged
    not_delivered: int = 0  # stored, but missing at a client
    stored_twice: int = 0
    delivered_twice: int = 0  # and no `sync` explains it
    out_of_order: int = 0  # frames that weren't the next one, and holes in the stored numbers
    reconnections: int = 0
    closes: Counter = field(default_factory=Counter)  # of connections and handshakes, by code
    errors: Counter = field(default_factory=Counter)  # error frames, by code
    faults: Counter = field(default_factory=Counter)
    tracebacks: list = field(default_factory=list)

    @property
    def lost(self):
        return self.not_stored + self.not_delivered

    @property
    def doubled(self):
        return self.stored_twice + self.delivered_twice

    @property
    def refused(self):
        """Return how often a member or a good frame was refused."""
        codes = [code for code in self.closes if code == "4403" or code.startswith("HTTP")]
        return sum(self.closes[code] for code in codes) + self.errors.total()

    def is_as_expected(self):
        """Return whether the step did what the course says of it: 6 loses, 7+ have only zeros."""
        if not self.numbered:
            return self.lost > 0
        bad = [self.lost, self.doubled, self.out_of_order, self.refused, len(self.tracebacks)]
        return not any(bad) and self.sent == self.acked == self.stored > 0

    def rows(self):
        """Return the table: names, counts and notes."""
        return [
            ("sent", self.sent, ""),
            ("acknowledged", self.acked if self.numbered else "-", ""),
            ("stored", self.stored, f"{self.deliveries} deliveries to make"),
            (
                "lost",
                self.lost,
                f"{self.not_stored} not stored, {self.not_delivered} not delivered",
            ),
            (
                "doubled",
                self.doubled,
                f"{self.stored_twice} stored twice, {self.delivered_twice} delivered twice",
            ),
            ("out of order", self.out_of_order, ""),
            ("refused", self.refused, listed(self.errors)),
            ("tracebacks", len(self.tracebacks), ""),
            ("reconnections", self.reconnections, listed(self.closes)),
            ("faults", self.faults.total(), listed(self.faults)),
        ]

    def conclusion(self, step):
        match self.numbered, self.is_as_expected():
            case True, True:
                return f"Step {step} kept every message: each arrived once and in order."
            case True, False:
                return f"Step {step} did not keep its promise."
            case False, True:
                return f"Step {step} lost messages, as expected. Step {step + 1} doesn't."
        return f"Step {step} lost nothing, which isn't expected. Run it longer: MINUTES=5"


def listed(counter):
    return ", ".join(f"{count} x {name}" for name, count in sorted(counter.items()))


def judge(sent, acked, stored, logs, numbered):
    """Return the Verdict.

    `sent` holds texts, all of them different; `acked` and `stored` hold pairs of number and text;
    `logs` what each client logged (see Client).
    """
    texts, pairs = Counter(text for _, text in stored), set(stored)
    verdict = Verdict(
        numbered,
        sent=len(sent),
        acked=len({text for _, text in acked}),
        stored=len(stored),
        deliveries=len(stored) * len(logs),
        not_stored=len((sent - texts.keys()) | {text for _, text in acked - pairs}),
        stored_twice=len(stored) - len(texts),
    )
    if numbered:
        verdict.out_of_order = sum(n != number for n, (number, _) in enumerate(stored, 1))
    for log in logs:
        judge_log(verdict, log, pairs)
    return verdict


def judge_log(verdict, log, stored):
    """Add what one client received to the Verdict."""
    seen, received = set(), set()
    previous, asked, answered = 0, None, False
    for event in log:
        match event:
            case "connect", after:
                previous, asked, answered = after, None, False
                if not verdict.numbered:  # each connection starts with the latest 50
                    previous, seen = 0, set()
            case "sync", number:
                asked, answered = number, False
            case "synced", number:
                verdict.out_of_order += number != previous
                asked, answered = None, False
            case "message", number, text:
                follows = number == previous + 1 if verdict.numbered else number > previous
                if not follows and not answered and asked is not None and number == asked + 1:
                    answered = True  # the answer starts where the client asked
                elif number in seen and not answered:
                    verdict.delivered_twice += 1
                elif not follows:
                    verdict.out_of_order += 1
                previous = number
                seen.add(number)
                received.add((number, text))
    verdict.not_delivered += len(stored - received)
