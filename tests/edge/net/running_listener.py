"""The command that listens, as a process of its own, and what its lists say."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.edge.made_day import TINY

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "edge_infer.commands.listen"]


@contextmanager
def listener(out: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start the command on a free port; what still runs at the end is killed."""
    command = [*COMMAND, "--out", str(out), "--port", "0", "--model", str(TINY), "--workers", "1"]
    with subprocess.Popen(
        [*command, *words], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            match = re.search(r"port (\d+)", line)
            assert match, line + process.stderr.read()
            yield process, int(match[1])
        finally:
            if process.poll() is None:
                process.kill()


def listed(out: Path) -> list[dict[str, str]]:
    """Return the rows of all days."""
    rows = []
    for path in sorted(out.glob("cxr-*/worklist.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows += list(csv.DictReader(file))
    return rows


def screened(out: Path) -> set[str]:
    """Return the SOP instance UIDs of the films that have a score."""
    return {row["sop_instance_uid"] for row in listed(out) if row["status"] == "screened"}


def wait_for(holds: Callable[[], bool], *, seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.2)
    assert holds()
