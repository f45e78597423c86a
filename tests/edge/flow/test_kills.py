"""Runs that end without warning: the next one goes on, and the list is the undisturbed one's."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from edge_infer.store.day_store import STORE_NAME
from tests.edge.made_day import TINY
from tests.edge.made_films import png

ROOT = Path(__file__).resolve().parents[3]
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX limits")


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for number in range(20):
        (folder / f"{number:02}.png").write_bytes(png(number % 17))
    (folder / "cut.png").write_bytes(png(3)[:400])
    return folder


@pytest.fixture(scope="module")
def wanted(films: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The undisturbed list."""
    out = tmp_path_factory.mktemp("undisturbed")
    assert run(films, out) == 4
    return (out / "worklist.csv").read_bytes()


COMMAND = [sys.executable, "-m", "edge_infer"]


def words(films: Path, out: Path) -> list[str]:
    return [str(films), "--out", str(out), "--model", str(TINY), "--workers", "1", "--quiet"]


def run(films: Path, out: Path) -> int:
    return subprocess.run([*COMMAND, *words(films, out)], cwd=ROOT).returncode


def kill_one(films: Path, out: Path, after_s: float) -> None:
    """Start a run, and end it so long after its store has appeared."""
    with subprocess.Popen([*COMMAND, *words(films, out)], cwd=ROOT) as process:
        while process.poll() is None and not (out / STORE_NAME).exists():
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.kill()


def kill_many(films: Path, out: Path, wanted: bytes, moments: list[float]) -> None:
    for moment in moments:
        kill_one(films, out, moment)
    assert run(films, out) == 4
    assert (out / "worklist.csv").read_bytes() == wanted
    assert not list(out.glob(".*.part"))


def test_a_killed_run_is_finished_by_the_next(films: Path, tmp_path: Path, wanted: bytes) -> None:
    kill_many(films, tmp_path, wanted, [0.0, 0.7])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_kills_at_random_moments_lose_and_double_nothing(
    films: Path, tmp_path: Path, wanted: bytes, seed: int
) -> None:
    draw = random.Random(seed)
    kill_many(films, tmp_path, wanted, [draw.uniform(0, 1.5) for _ in range(3)])


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
from edge_infer.commands.infer import main
main(sys.argv[1:])
"""


def run_full(films: Path, out: Path, size: int) -> subprocess.CompletedProcess[str]:
    """Run where no file may grow beyond `size` bytes: what a full disk says, and as suddenly."""
    command = [sys.executable, "-c", FULL.format(size=size), *words(films, out)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")


@posix_only
@pytest.mark.parametrize("size", [0, 70_000])
def test_a_full_disk_is_six_and_damages_nothing(films: Path, tmp_path: Path, size: int) -> None:
    """First the store cannot be kept, or it can and a list cannot; the earlier list stays."""
    few, out = tmp_path / "films", tmp_path / "out"
    few.mkdir()
    (few / "00.png").write_bytes(png(0))
    assert run(few, out) == 0
    before = {name: (out / name).read_bytes() for name in ("worklist.csv", "report.html")}
    ended = run_full(films, out, size)
    assert ended.returncode == 6, ended.stderr
    assert ended.stderr.startswith("cxr-infer: ") and len(ended.stderr.splitlines()) == 1
    assert "free the disk" in ended.stderr and "lock" not in ended.stderr
    assert {name: (out / name).read_bytes() for name in before} == before
    assert run(films, out) == 4
    assert (out / "worklist.csv").read_bytes().count(b"\r\n") == 1 + 1 + 21


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("size", [3_000, 45_000, 70_000])
def test_a_disk_full_from_the_start_leaves_a_folder_that_works_later(
    films: Path, tmp_path: Path, wanted: bytes, size: int
) -> None:
    assert run_full(films, tmp_path, size).returncode == 6
    assert run(films, tmp_path) == 4
    assert (tmp_path / "worklist.csv").read_bytes() == wanted
