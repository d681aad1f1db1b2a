"""What it costs that a message is stored before anybody gets it."""

from functools import partial
from statistics import median

from bench.figures import Table, cells, grouped, middle, per_second, remarks
from bench.servers import find_postgresql, generate, serve

SECONDS = 3
UNDER_WAY = 5  # messages of a sender
RATE, MEMBERS = 10, 10  # for what the save adds to a delivery
LOOP = "plain loop, one thread"
TITLE = "Saved messages"
NOTE = (
    "The plain loop calls step 6's save_alert again and again, without server or socket. of the "
    "loop: the share of its saves a second. p50, p99: ms from a message to its ack, with "
    f"{UNDER_WAY} messages of each sender under way. Everybody who sends gets all messages, too."
)


def jobs(full):
    databases = ["sqlite", "postgresql"] if full and find_postgresql() else ["sqlite"]
    for _ in range(3 if full else 1):
        for database in databases:
            yield partial(measure_loop, database)
            for name in ["step 6 on Daphne", "step 6 on uvicorn"]:
                for senders in [1, 20]:
                    yield partial(measure, name, database, senders)
        for name in ["step 5 on Daphne", "step 6 on Daphne"]:
            yield partial(measure_delay, name)


def measure_loop(database):
    """Save again and again, in one thread; return the run."""
    with serve("step 6 on Daphne", database=database) as serving:
        saved, seconds = serving.run_in_step("bench.plain_saves", SECONDS)
    figures = {"acked": saved, "delivered": saved, "expected": saved, "problems": {}}
    return figures | {
        "seconds": seconds,
        "generator_cpu": 0,
        "server": LOOP,
        "database": database,
        "senders": 1,
    }


def measure(name, database, senders):
    """Let members send with a client_id each, and wait for the acks; return the run."""
    with serve(name, members=senders, database=database) as serving:
        plan = {"rooms": [serving.members(0, senders)], "senders": senders, "acks": True}
        found = generate(serving, plan | {"window": UNDER_WAY, "warm_up": 1, "seconds": SECONDS})
    return found | {"server": name, "database": database, "senders": senders}


def measure_delay(name):
    """Take the delays of few messages; return the run."""
    with serve(name, members=MEMBERS) as serving:
        plan = {"rooms": [serving.members(0, MEMBERS)], "rate": RATE}
        found = generate(serving, plan | {"warm_up": 1, "seconds": SECONDS})
    return found | {"server": name, "database": "sqlite", "senders": 0}


def tables(runs):
    groups = grouped(runs, "database", "senders", "server")
    rows, delays = [], []
    for (database, senders, name), mine in groups.items():
        if not senders:
            p50, p99 = (middle(mine, lambda run, p=p: run["delay"][p]) for p in ("p50", "p99"))
            delays.append([name, p50, p99])
            continue
        loop = groups[database, 1, LOOP]
        plain = median(map(per_second, loop)) if loop else 0
        share = middle(mine, lambda run, plain=plain: per_second(run, "acked") / plain, "{:.2f}")
        acks = ["", ""]
        if name != LOOP:
            acks = [middle(mine, lambda run, p=p: run["ack_delay"][p]) for p in ("p50", "p99")]
        acked = cells(mine, lambda run: per_second(run, "acked"))
        rows.append([name, database, str(senders), *acked, share, *acks, remarks(mine)])
    headings = ["server", "database", "senders", "saved per second", "least–most", "of the loop"]
    yield Table("Saved and acked", [*headings, "p50", "p99", ""], rows)
    title = f"Delays in ms to {MEMBERS} members, {RATE} messages a second; step 5 saves nothing"
    yield Table(title, ["server", "p50", "p99"], delays)
