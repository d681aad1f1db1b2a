"""Run a step with real servers, clients that talk, and faults; then count what was lost."""

ROOM = 1  # General
