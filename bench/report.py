"""bench/README.md's figures and the plots, made from bench/results and from nothing else."""

import json
from pathlib import Path

from bench.figures import RATE, key, summarise

BENCH = Path(__file__).parent
RESULTS = BENCH / "results"
README = BENCH / "README.md"
HEADING = "## Figures\n"
HEADINGS = ["server", "per second", "least–most", "µs", "Redis", "p50", "p99", ""]
SALT = "mychannels"  # so that the same figures make the same file
COLOURS = {"step": "#0b6e4f", "tutorial": "#b23a48"}
OTHER = "#7a7a7a"


def load_results():
    """Return what bench/results has, by the name of the part."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(RESULTS.glob("*.json"))}


def find_stale():
    """Return sentences about results that are older than the code that they measure."""
    return [
        f"bench/results/{name}.json is older than {', '.join(changed)}. "
        "Before a release type: make bench FULL=1"
        for name, result in load_results().items()
        if (changed := [n for n, tree in key().items() if result["key"].get(n) != tree])
    ]


def write_report():
    """Write the figures into bench/README.md, and the plots beside the results."""
    README.write_text(as_report(README.read_text(), load_results()))
    if fan_out := load_results().get("fan_out"):
        draw(summarise(fan_out["runs"]), RESULTS / "fan_out.svg")


def as_report(text, results):
    """Return the text of the README with the figures of those results in the place of the old."""
    lines = [text.partition(HEADING)[0] + HEADING]
    if "fan_out" in results:
        lines += fan_out(results["fan_out"])
    return "\n".join(lines) + "\n"


def fan_out(result):
    """Give the lines of the section on fan-out."""
    machine, rows = result["machine"], summarise(result["runs"])
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    yield (
        f"Measured on {result['date']}, on {machine['cores']} cores and {machine['memory_gib']} "
        f"GiB, with Python {machine['python']}, {versions}. Raised: {result['limits']}."
    )
    yield (
        "\nper second: deliveries, the median of the runs. µs: CPU time of the server a delivery; "
        f"Redis: that of Redis. p50, p99: delays in ms at {RATE} messages a second."
    )
    yield "\n![Deliveries a second to 100 members](results/fan_out.svg)"
    for members in dict.fromkeys(row["members"] for row in rows):
        yield f"\n### One sender, {members} members\n"
        yield f"| {' | '.join(HEADINGS)} |"
        yield "|---|" + "---:|" * 6 + "---|"
        mine = [row for row in rows if row["members"] == members]
        for row in sorted(mine, key=lambda row: -row.get("deliveries", {}).get("median", 0)):
            yield f"| {' | '.join(cells(row))} |"


def cells(row):
    """Return the cells of a row below HEADINGS."""
    notes = ["limited by the generator"] if row.get("limited") else []
    notes += [f"{row['incomplete']} incomplete"] if row["incomplete"] else []
    if "deliveries" not in row:
        return [row["target"], *[""] * 6, *notes]
    low, high = (f"{row['deliveries'][end]:,.0f}" for end in ("min", "max"))
    times = [f"{row[name]['median']:.1f}" for name in ("server_us", "redis_us", "p50", "p99")]
    median = f"{row['deliveries']['median']:,.0f}"
    return [row["target"], median, f"{low}–{high}", *times, ", ".join(notes)]


def draw(rows, file):
    """Draw the deliveries a second to 100 members."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": SALT, "font.size": 10, "svg.fonttype": "none"}
    from matplotlib import pyplot

    rows = [row for row in rows if row["members"] == 100 and "deliveries" in row]
    rows.sort(key=lambda row: row["deliveries"]["median"])
    names, figures = [row["target"] for row in rows], [row["deliveries"] for row in rows]
    medians = [f["median"] for f in figures]
    spreads = [[f["median"] - f["min"] for f in figures], [f["max"] - f["median"] for f in figures]]
    colours = [COLOURS.get(name.split()[0].rstrip(","), OTHER) for name in names]
    figure, axes = pyplot.subplots(figsize=(8, 0.4 * len(rows) + 1), layout="constrained")
    axes.barh(names, medians, xerr=spreads, color=colours, error_kw={"linewidth": 1})
    axes.set_xscale("log")
    axes.set_xlabel("deliveries a second, median, least and most (each step is ten times more)")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
