"""Imports in the test's own process and fails in a worker, as a broken installation would."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

if multiprocessing.parent_process() is not None:
    if os.environ.get("CXR_TEST_START") == "exit":
        os._exit(7)
    raise ImportError("a decoder is missing")


def work(path: Path) -> str:
    return path.name
