"""The figures in the texts and the plots, made from bench/results and from nothing else."""

import json
from functools import cache
from pathlib import Path

from bench.figures import name_incomplete, tree_id
from course.errors import CourseError
from course.steps import STEPS

BENCH = Path(__file__).parent
RESULTS = BENCH / "results"
README = BENCH / "README.md"
HEADING = "## Figures\n"
MARKERS = "<!-- changes -->\n", "<!-- /changes -->"
SALT = "mychannels"  # so that the same figures make the same file


def load_results():
    """Return what bench/results has, by the name of the part."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(RESULTS.glob("*.json"))}


def find_stale():
    """Return sentences about results that are older than the code that they measure."""
    current = cache(tree_id)
    return [
        f"bench/results/{name}.json is older than {', '.join(changed)}. "
        f"Before a release type: make bench FULL=1 ONLY={name}"
        for name, result in load_results().items()
        if (changed := [path for path, tree in result["key"].items() if current(path) != tree])
    ]


def write_report():
    """Write the figures into the READMEs, and the plots beside the results."""
    from bench.parts import PARTS

    results = load_results()
    README.write_text(as_report(README.read_text(), results))
    if "changes" in results:
        step_10().write_text(with_changes(step_10().read_text(), results["changes"]))
    for name, part in PARTS.items():
        if name in results and hasattr(part, "plot"):
            draw(part.plot(results[name]["runs"]), RESULTS / f"{name}.svg")


def as_report(text, results):
    """Return the text of bench/README.md with the figures of those results."""
    from bench.parts import PARTS

    lines = [text.partition(HEADING)[0] + HEADING]
    for name, part in PARTS.items():
        if name in results:
            lines += section(name, part, results[name])
    return "\n".join(lines) + "\n"


def section(name, part, result):
    """Yield the lines of the section on a part."""
    versions = ", ".join(f"{k} {version}" for k, version in result["machine"]["versions"].items())
    yield f"### {part.TITLE}\n"
    yield part.NOTE
    yield f"\n{conditions(result)}, with {versions}."
    if incomplete := name_incomplete(result["runs"]):
        yield f"\n{incomplete}"
    if hasattr(part, "plot"):
        yield f"\n![{part.TITLE}](results/{name}.svg)"
    for table in part.tables(result["runs"]):
        yield f"\n**{table.title}**\n"
        yield as_markdown(table)
    yield ""


def conditions(result):
    """Return when and on what machine a result was measured, without a full stop."""
    machine = result["machine"]
    return (
        f"Measured on {result['date']}, on {machine['cores']} cores ({machine['processor']}) and "
        f"{machine['memory_gib']} GiB, with Python {machine['python']}"
    )


def as_markdown(table):
    aligned = ["---:" if table.has_figures(n) else "---" for n in range(len(table.headings))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [table.headings, aligned, *table.rows])


def step_10():
    return STEPS[10] / "README.md"


def split_at_markers(text):
    """Return what is before and after the table of changes in step 10's README."""
    before, begin, rest = text.partition(MARKERS[0])
    _, end, after = rest.partition(MARKERS[1])
    if not (begin and end):
        raise CourseError(
            f"{STEPS[10].name}/README.md has no place for the table of its changes. Add two lines, "
            f"{MARKERS[0].strip()} and {MARKERS[1]}"
        )
    return before + begin, end + after


def with_changes(text, result):
    """Return the text of step 10's README with the table of its changes between the markers."""
    from bench.parts import changes

    before, after = split_at_markers(text)
    (table,) = changes.tables(result["runs"])
    note = f"{changes.NOTE} {conditions(result)}."
    return "\n".join([before, as_markdown(table), "", note, "", after])


def draw(plot, file):
    """Draw bars (name, least, median, most, colour) into an SVG file."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": SALT, "font.size": 10, "svg.fonttype": "none"}
    from matplotlib import pyplot

    names, low, middle, high, colours = zip(*plot["bars"], strict=True)
    spreads = [
        [m - low for low, m in zip(low, middle, strict=True)],
        [high - m for high, m in zip(high, middle, strict=True)],
    ]
    figure, axes = pyplot.subplots(figsize=(8, 0.4 * len(names) + 1))
    axes.barh(names, middle, xerr=spreads, color=colours, error_kw={"linewidth": 1})
    axes.set_xlabel(plot["label"])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    figure.savefig(file, metadata={"Date": None}, bbox_inches="tight")
    pyplot.close(figure)
