"""The ratios that the course speaks of, in one run."""

from functools import partial

from bench.figures import Table, grouped, microseconds, middle, per_second, ratio
from bench.parts import fan_out, idle
from bench.parts.fan_out import TUTORIAL, title_of
from bench.servers import TARGETS, save_plainly

DAPHNE, UVICORN = "step 10 on Daphne", "step 10 on uvicorn"
RATIOS = [  # rooms and members; a server and the one to compare it with
    ((1, 100), (DAPHNE, TUTORIAL)),
    ((1, 100), (UVICORN, TUTORIAL)),
    ((1, 100), (UVICORN, "bare websockets")),
    ((1, 100), ("step 8 on Daphne", "step 7 on Daphne")),
    ((50, 10), (DAPHNE, TUTORIAL)),
    ((50, 10), (UVICORN, TUTORIAL)),
]
SAVING = ["step 7 on Daphne", "step 8 on Daphne", DAPHNE]
HISTORIES = [1000, 100_000]
SECONDS = 1.5  # of saves
SOCKETS = 500
IDLE = ["step 5 on Daphne", DAPHNE]
TITLE = "Speed: the ratios"
NOTE = (
    "Deliveries a second, as in Fan-out; 50 rooms: one member of each sends. A save is one call of "
    "the step's save_alert with a client_id, in a room with so many messages. Memory is the "
    "server's (USS)."
)


def jobs(full):
    for size, name in dict.fromkeys((size, name) for size, pair in RATIOS for name in pair):
        yield partial(measure_deliveries, name, *size)
    for name in SAVING:
        for history in HISTORIES:
            yield partial(measure_save, name, history)
    for name in IDLE:
        yield partial(measure_memory, name)


def measure_deliveries(name, rooms, members):
    found = fan_out.measure(name, rooms, members)
    return found | {"what": "deliveries", "size": title_of(rooms, members)}


def measure_save(name, history):
    """Save alerts, one after the other, in a room that has a history; return the run."""
    saved, cpu = save_plainly(TARGETS[name].step, history, SECONDS)
    counts = {"delivered": saved, "expected": saved, "cpu": {"server": cpu}, "problems": {}}
    return counts | {"server": name, "what": "save", "size": history}


def measure_memory(name):
    return idle.measure_idle(name, SOCKETS) | {"what": "memory", "size": SOCKETS}


def tables(runs):
    groups = grouped(runs, "what", "size", "server")

    def row(figure, form, *keys):
        """Return the medians of two groups of runs, and the ratio of the first to the second."""
        one, other = (groups.get(key, []) for key in keys)
        return [middle(one, figure, form), middle(other, figure, form), ratio(one, other, figure)]

    rows = []
    for size, (name, other) in RATIOS:
        title = title_of(*size)
        keys = [("deliveries", title, server) for server in [name, other]]
        of_one, of_other, times = row(per_second, "{:,.0f}", *keys)
        rows.append([title, name, of_one, other, of_other, times])
    yield Table("Deliveries a second", ["", "server", "", "compared with", "", "ratio"], rows)
    rows = [
        [name, *row(microseconds, "{:,.0f}", *(("save", size, name) for size in HISTORIES[::-1]))]
        for name in SAVING
    ]
    headings = ["server", *(f"among {size:,}" for size in HISTORIES[::-1]), "ratio"]
    yield Table("CPU time for a save, µs", headings, rows)
    keys = [("memory", SOCKETS, name) for name in IDLE[::-1]]
    cells = row(lambda run: run["memory"] / 1e6, "{:.0f}", *keys)
    yield Table(f"Memory with {SOCKETS} sockets", ["", *IDLE[::-1], "ratio"], [["MB", *cells]])
