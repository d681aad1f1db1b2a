"""A pytest plugin: new tests run first, quick ones before those with servers and browsers.

NEW_TESTS has the names of the new ones, such as tests/test_groups.py::test_bad_frame.
"""

import os
from pathlib import Path

SLOW = {"browser": 3, "second_server": 2, "server": 2, "communicator": 1}  # fixtures


def pytest_collection_modifyitems(items):
    new = os.environ["NEW_TESTS"].split()
    items.sort(key=lambda item: (item.nodeid.partition("[")[0] not in new, slowness(item)))


def pytest_collection_finish(session):
    Path("collected").write_text(str(len(session.items)))


def slowness(item):
    return max((SLOW.get(name, 0) for name in getattr(item, "fixturenames", ())), default=0)
