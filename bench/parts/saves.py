"""What it costs that each message is stored before anybody receives it."""

from functools import partial

from bench.figures import Table, cells, grouped, microseconds, middle, per_second, remarks
from bench.servers import TARGETS, available, generate, serve

UNDER_WAY = 5  # messages of a sender
SENDERS = [1, 20]
READS = {"deploy/mychannels_deploy"}  # besides the servers
QUICK = ["step 8 on Daphne", "step 10 on Daphne"]
SERVERS = ["step 7 on Daphne", *QUICK, "step 10 on uvicorn", "step 10 on Daphne, PostgreSQL"]
TITLE = "Saved messages"
NOTE = (
    "Everybody in the room sends and receives. µs: CPU time of the server for a message, with its "
    f"deliveries. p50, p99: ms from a message to its ack, with {UNDER_WAY} messages of each sender "
    "under way. SQLite, where no other database is named."
)


def jobs(full):
    for senders in SENDERS if full else SENDERS[1:]:
        for name in SERVERS if full else QUICK:
            if available(name):
                yield partial(measure, name, senders)


def measure(name, senders):
    """Let all members send and wait for the acks; return the run."""
    with serve(TARGETS[name], members=senders) as serving:
        plan = {"rooms": [serving.members(0, senders)], "senders": senders, "window": UNDER_WAY}
        found = generate(serving, plan | {"warm_up": 0.5, "seconds": 1.5})
    return found | {"server": name, "senders": senders}


def tables(runs):
    rows = [
        [
            name,
            str(senders),
            *cells(mine, lambda run: per_second(run, "acked")),
            middle(mine, lambda run: microseconds(run, what="acked"), "{:,.0f}"),
            middle(mine, lambda run: run["ack_delay"]["p50"]),
            middle(mine, lambda run: run["ack_delay"]["p99"]),
            remarks(mine),
        ]
        for (senders, name), mine in grouped(runs, "senders", "server").items()
    ]
    headings = ["server", "senders", "saved per second", "least–most", "µs", "p50", "p99", ""]
    yield Table("Saved and acknowledged", headings, rows)
