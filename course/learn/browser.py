"""The browser of this machine, for the tests that need a real one."""

import os
import shutil
from pathlib import Path

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
ELSEWHERE = [
    (Path("/Applications"), "Google Chrome.app/Contents/MacOS/Google Chrome"),
    (Path("/Applications"), "Chromium.app/Contents/MacOS/Chromium"),
    (Path.home() / ".cache/ms-playwright", "chromium-*/chrome-linux*/chrome"),
    (Path.home() / "Library/Caches/ms-playwright", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*"),
]


def find_browser():
    """Return the path of a Chromium or Chrome: CHROME_BIN, one on PATH, an app or Playwright's."""
    if path := os.environ.get("CHROME_BIN"):
        return path
    on_path = filter(None, map(shutil.which, NAMES))
    elsewhere = (str(path) for folder, name in ELSEWHERE for path in sorted(folder.glob(name)))
    return next(on_path, None) or next(elsewhere, None)
