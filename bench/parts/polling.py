"""What a page costs that asks again and again, and what one costs that gets its messages sent."""

from functools import partial

from bench.figures import Table, cells, grouped, microseconds, middle, remarks
from bench.servers import POLLS, TARGETS, generate, serve

CLIENTS = 100
TITLE = "Polling and sockets"
NOTE = (
    f"{CLIENTS} clients. They poll step 1, under runserver, every 2 s, or have a socket each to "
    "step 10, on Daphne. All figures are for one alert that one client sees: bytes of requests and "
    "responses, with headers and cookies, or of the socket, with pings; CPU time of the server in "
    "ms. p50, p99: seconds from the message until it is seen."
)


def jobs(full):
    for every in [10, 1] if full else [1]:
        seconds = max(every, 6)
        yield partial(measure_polls, "step 1", CLIENTS, every, seconds)
        yield partial(measure_sockets, "step 10 on Daphne", CLIENTS, every, seconds)


def measure_polls(name, clients, every, seconds):
    """Let clients poll, and post an alert every so many seconds; return the run."""
    with serve(TARGETS[name], members=clients) as serving:
        members = serving.members(0, clients)
        plan = {"port": serving.ports[0], "cookies": [h["Cookie"] for _, h in members]}
        found = generate(serving, plan | {"every": every, "seconds": seconds}, POLLS)
    return found | {"server": name, "every": every}


def measure_sockets(name, clients, every, seconds):
    """Send a message to clients with sockets every so many seconds; return the run."""
    with serve(TARGETS[name], members=clients) as serving:
        plan = {"rooms": [serving.members(0, clients)], "rate": 1 / every, "warm_up": 0}
        found = generate(serving, plan | {"seconds": seconds})
    return found | {"server": name, "every": every}


def tables(runs):
    headings = ["", "requests", "bytes", "CPU, ms", "least–most", "p50, s", "p99, s", ""]
    for (every,) in grouped(runs, "every"):
        rows = [
            [
                f"{name}, {'polled' if name == 'step 1' else 'sockets'}",
                middle(mine, lambda run: run.get("requests", 0) / run["delivered"], "{:.2f}"),
                middle(mine, lambda run: run["bytes"] / run["delivered"], "{:,.0f}"),
                *cells(mine, lambda run: microseconds(run) / 1e3, "{:.2f}"),
                middle(mine, lambda run: run["delay"]["p50"] / 1e3, "{:.3f}"),
                middle(mine, lambda run: run["delay"]["p99"] / 1e3, "{:.3f}"),
                remarks(mine),
            ]
            for (its, name), mine in grouped(runs, "every", "server").items()
            if its == every
        ]
        title = f"A message every {every} s" if every > 1 else "A message every second"
        yield Table(title, headings, rows)
