"""What the figures of runs come to."""

from statistics import median

from course.git import tree_of
from course.steps import ROOT, STEPS

LIMITED = 0.85  # of a core: a generator that is so busy has limited the run
WINDOW = 10  # messages under way at a time
RATE = 10  # messages a second, for the delays


def key():
    """Return the ids of the trees that are measured."""
    return {folder.name: tree_of(folder) for folder in [*STEPS.values(), ROOT / "bench" / "peers"]}


def is_complete(run):
    """Tell whether all that was sent has arrived, once each and in order."""
    kinds = [run["capacity"], run["rate"]]
    return all(k["delivered"] == k["expected"] > 0 and not k["problems"] for k in kinds)


def summarise(runs):
    """Return a row for each target and number of members, from the runs that are complete."""
    rows = []
    for name, members in dict.fromkeys((run["target"], run["members"]) for run in runs):
        mine = [run for run in runs if (run["target"], run["members"]) == (name, members)]
        whole = [run for run in mine if is_complete(run)]
        row = {"target": name, "members": members, "incomplete": len(mine) - len(whole)}
        if whole:
            capacity = [run["capacity"] for run in whole]
            row |= {
                "deliveries": spread(c["delivered"] / c["seconds"] for c in capacity),
                "server_us": spread(c["cpu"]["server"] / c["delivered"] * 1e6 for c in capacity),
                "redis_us": spread(
                    c["cpu"].get("redis", 0) / c["delivered"] * 1e6 for c in capacity
                ),
                "p50": spread(run["rate"]["delay"]["p50"] for run in whole),
                "p99": spread(run["rate"]["delay"]["p99"] for run in whole),
                "limited": any(c["generator_cpu"] > LIMITED for c in capacity),
            }
        rows.append(row)
    return rows


def spread(figures):
    """Return the median, the least and the most."""
    figures = list(figures)
    return {"median": median(figures), "min": min(figures), "max": max(figures)}
