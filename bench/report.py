"""bench/README.md's figures and the plots, made from bench/results and from nothing else."""

import json
from pathlib import Path

from bench.figures import key, name_incomplete

BENCH = Path(__file__).parent
RESULTS = BENCH / "results"
README = BENCH / "README.md"
HEADING = "## Figures\n"
SALT = "mychannels"  # so that the same figures make the same file


def load_results():
    """Return what bench/results has, by the name of the part."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(RESULTS.glob("*.json"))}


def find_stale():
    """Return sentences about results that are older than the code that they measure."""
    trees = key()
    return [
        f"bench/results/{name}.json is older than {', '.join(changed)}. "
        f"Before a release type: make bench FULL=1 ONLY={name}"
        for name, result in load_results().items()
        if (changed := [n for n, tree in trees.items() if result["key"].get(n) != tree])
    ]


def write_report():
    """Write the figures into bench/README.md, and the plots beside the results."""
    from bench.parts import PARTS

    results = load_results()
    README.write_text(as_report(README.read_text(), results))
    for name, part in PARTS.items():
        if name in results and hasattr(part, "plot"):
            draw(part.plot(results[name]["runs"]), RESULTS / f"{name}.svg")


def as_report(text, results):
    """Return the text of the README with the figures of those results in the place of the old."""
    from bench.parts import PARTS

    lines = [text.partition(HEADING)[0] + HEADING]
    for name, part in PARTS.items():
        if name in results:
            lines += section(name, part, results[name])
    return "\n".join(lines) + "\n"


def section(name, part, result):
    """Give the lines of the section on a part."""
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    yield f"### {part.TITLE}\n"
    yield part.NOTE
    yield (
        f"\nMeasured on {result['date']}, on {machine['cores']} cores ({machine['processor']}) and "
        f"{machine['memory_gib']} GiB, with Python {machine['python']}, {versions}. "
        f"{result['limits']}."
    )
    if incomplete := name_incomplete(result["runs"]):
        yield f"\n{incomplete}"
    if hasattr(part, "plot"):
        yield f"\n![{part.TITLE}](results/{name}.svg)"
    for table in part.tables(result["runs"]):
        yield f"\n**{table.title}**\n"
        yield f"| {' | '.join(table.headings)} |"
        yield "|---|" + "---:|" * (len(table.headings) - 1)
        for row in table.rows:
            yield f"| {' | '.join(row)} |"
    yield ""


def draw(plot, file):
    """Draw into an SVG file: bars (name, median, least, most, colour) or lines of (x, y)."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": SALT, "font.size": 10, "svg.fonttype": "none"}
    from matplotlib import pyplot

    if "bars" in plot:
        figure, axes = pyplot.subplots(figsize=(8, 0.4 * len(plot["bars"]) + 1))
        draw_bars(axes, plot["bars"])
        axes.set_xlabel(plot["label"])
    else:
        figure, axes = pyplot.subplots(figsize=(8, 4))
        for name, points in plot["lines"].items():
            axes.plot(*zip(*sorted(points), strict=True), marker="o", label=name)
        axes.set(xscale="log", xlabel="how many", ylabel=plot["label"], ylim=(0, None))
        axes.legend()
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    figure.savefig(file, metadata={"Date": None}, bbox_inches="tight")
    pyplot.close(figure)


def draw_bars(axes, bars):
    names, low, middle, high, colours = zip(*bars, strict=True)
    spreads = [
        [m - low for low, m in zip(low, middle, strict=True)],
        [high - m for high, m in zip(high, middle, strict=True)],
    ]
    axes.barh(names, middle, xerr=spreads, color=colours, error_kw={"linewidth": 1})
