"""What it costs to ask again and again, and what to be told."""

from functools import partial

from bench.figures import Table, cells, grouped, microseconds, middle, remarks
from bench.servers import POLLS, generate, serve

TITLE = "Polling against push"
NOTE = (
    "Step 1 under runserver, polled every 2 s, and step 6 on Daphne. All per alert that a client "
    "sees: bytes of requests and answers, with headers and cookies, or of the socket, pings too; "
    "CPU time of the server in ms, with the least and the most. p50, p99: seconds from the message "
    "until it is seen."
)


def jobs(full):
    for _ in range(3 if full else 1):
        for clients in [10, 100, 300] if full else [100]:
            for every in [10, 1] if full else [1]:
                seconds = 2 * every if every > 1 else 6
                yield partial(measure_polls, clients, every, seconds)
                yield partial(measure_sockets, clients, every, seconds)


def measure_polls(clients, every, seconds):
    """Let clients poll step 1, and post a message every so many seconds; return the run."""
    with serve("step 1", members=clients) as serving:
        members = serving.members(0, clients)
        plan = {"port": serving.ports[0], "cookies": [h["Cookie"] for _, h in members]}
        found = generate(serving, plan | {"every": every, "seconds": seconds}, POLLS)
    return found | {"server": "step 1, polled", "clients": clients, "every": every}


def measure_sockets(clients, every, seconds):
    """Let clients be told by step 6 of a message every so many seconds; return the run."""
    with serve("step 6 on Daphne", members=clients) as serving:
        plan = {"rooms": [serving.members(0, clients)], "rate": 1 / every, "warm_up": 0}
        found = generate(serving, plan | {"seconds": seconds})
    return found | {"server": "step 6, sockets", "clients": clients, "every": every}


def tables(runs):
    headings = ["", "clients", "requests", "bytes", "CPU, ms", "least–most", "p50, s", "p99, s", ""]
    for (every,) in grouped(runs, "every"):
        mine = [run for run in runs if run["every"] == every]
        rows = [
            [
                name,
                str(clients),
                middle(group, lambda run: run.get("requests", 0) / run["delivered"], "{:.2f}"),
                middle(group, lambda run: run["bytes"] / run["delivered"], "{:,.0f}"),
                *cells(group, lambda run: microseconds(run) / 1e3, "{:.2f}"),
                middle(group, lambda run: run["delay"]["p50"] / 1e3, "{:.3f}"),
                middle(group, lambda run: run["delay"]["p99"] / 1e3, "{:.3f}"),
                remarks(group),
            ]
            for (clients, name), group in grouped(mine, "clients", "server").items()
        ]
        yield Table(
            f"A message every {every} s" if every > 1 else "A message every second", headings, rows
        )
