"""The command that listens: what it refuses, what it says of other nodes, and that it goes on."""

from __future__ import annotations

import csv
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.edge.made_day import TINY
from tests.edge.net.made_nodes import associated, film, listening, send

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "edge_infer.commands.listen"]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=300
    )


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


def wait_for(holds: Callable[[], bool], *, seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.2)
    assert holds()


def screened(out: Path) -> set[str]:
    return {row["sop_instance_uid"] for row in listed(out) if row["status"] == "screened"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--out"),
        (["--out", "x", "--ae-title", "SEVENTEEN_LETTERS"], "--ae-title"),
        (["--out", "x", "--address", "0.0.0.0"], "--peers"),
        (["--out", "x", "--address", "here"], "--address"),
        (["--out", "x", "--tls-cert", "x.pem"], "--tls-cert"),
        (["--check", "no port"], "--check"),
    ],
)
def test_a_wrong_command_line_is_two(words: list[str], told: str, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from edge_infer.commands.listen import app

    words = [str(tmp_path) if word == "x" else word for word in words]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 2 and told in ended.output
    assert not list(tmp_path.iterdir())


def test_the_check_says_in_one_sentence_what_is_wrong(tmp_path: Path) -> None:
    with listening(tmp_path) as node:
        good = run("--check", f"CXREDGE@127.0.0.1:{node.port}")
        wrong = run("--check", f"127.0.0.1:{node.port}")
    nobody = run("--check", f"127.0.0.1:{node.port}")
    assert (good.returncode, wrong.returncode, nobody.returncode) == (0, 3, 3)
    assert "knows us" in good.stdout and "is not called ANY-SCP" in wrong.stdout
    assert "nothing listens" in nobody.stdout
    assert all(len(one.stdout.splitlines()) == 1 for one in (good, wrong, nobody))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
def test_films_are_listed_and_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with listener(out) as (process, port):
        with associated(port) as association:
            assert send(association, film(1), tmp_path) == 0
        wait_for(lambda: len(screened(out)) == 1)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors and "Stopped" in errors
    assert not list((out / "spool" / "incoming").iterdir())


@pytest.mark.slow
def test_a_killed_listener_goes_on_and_lists_every_film_once(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with listener(out) as (process, port):
        with associated(port) as association:
            for number in range(3):
                assert send(association, film(number), tmp_path) == 0
        process.kill()
    with listener(out) as (process, port):
        with associated(port) as association:
            for number in range(2, 5):  # the X-ray machine sends one again
                assert send(association, film(number), tmp_path) == 0
        wait_for(lambda: len(screened(out)) == 5)
        process.kill()
    uids = [row["sop_instance_uid"] for row in listed(out)]
    assert sorted(uids) == sorted({f"1.2.3.4.{number}" for number in range(5)})
