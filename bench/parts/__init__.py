"""The parts of the benchmark.

Each is a module with

- `TITLE` and `NOTE`, which say what its tables show
- `jobs(full)`: yields the jobs of one round. A job is a functools.partial whose first argument is
  the name of a server; it measures once and returns a run, a dict for JSON, with `server` in it
- `tables(runs)`: yields Tables
- `plot(runs)`, where there is something to draw: returns what report.draw takes
"""

from bench.parts import (
    catch_up,
    changes,
    course_itself,
    fan_out,
    growth,
    idle,
    polling,
    saves,
    speed,
)

PARTS = {
    "speed": speed,
    "fan_out": fan_out,
    "changes": changes,
    "saves": saves,
    "polling": polling,
    "idle": idle,
    "growth": growth,
    "catch_up": catch_up,
    "course": course_itself,
}
