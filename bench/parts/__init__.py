"""The parts of the benchmark.

Each is a module with `TITLE` and `NOTE`, which say what its tables show; `jobs(full)`, which gives
functions that measure once and return a run, a dict for JSON; and `tables(runs)`, which gives
Tables. Those with something to draw have `plot(runs)`, too, which returns what report.draw takes.
"""

from bench.parts import course_itself, fan_out, growth, idle, polling, saves

PARTS = {
    "fan_out": fan_out,
    "saves": saves,
    "polling": polling,
    "idle": idle,
    "growth": growth,
    "course": course_itself,
}
