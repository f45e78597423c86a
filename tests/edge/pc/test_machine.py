"""What this PC has, against a second way of finding it out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_infer.commands.infer import main
from edge_infer.pc.machine import default_workers, physical_cores, processor_name, read_memory
from edge_infer.workers.pool import run_isolated
from tests.edge.made_day import TINY
from tests.edge.made_films import png

ROOT = Path(__file__).resolve().parents[3]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, which is Linux's")


def cores_of_proc() -> int:
    """Count (physical id, core id) in /proc/cpuinfo; where it names none, every processor."""
    cores = set()
    for number, block in enumerate(Path("/proc/cpuinfo").read_text("utf-8").split("\n\n")):
        facts = dict(line.split(":", 1) for line in block.splitlines() if ":" in line)
        plain = {name.strip(): value.strip() for name, value in facts.items()}
        if plain:
            cores.add((plain.get("physical id", ""), plain.get("core id", f"no {number}")))
    return len(cores)


@linux_only
def test_physical_cores_are_those_of_proc_or_fewer_where_time_is_limited() -> None:
    # A container's share of the time, and an affinity mask, may leave fewer.
    assert 1 <= physical_cores() <= cores_of_proc()
    quota = Path("/sys/fs/cgroup/cpu.max")
    is_limited = quota.exists() and not quota.read_text("ascii").startswith("max")
    if not is_limited and len(os.sched_getaffinity(0)) == os.cpu_count():
        assert physical_cores() == cores_of_proc()


@linux_only
@pytest.mark.parametrize("tells", ["", "machine._CPUS = machine.Path('/nothing/there')"])
def test_a_process_bound_to_one_processor_has_one_core(tells: str) -> None:
    """Also where the system does not tell which processors share a core, as some containers do."""
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        f"from edge_infer.pc import machine; {tells}\n"
        "print(machine.physical_cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == b"1"


def test_one_worker_per_physical_core_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read back where the number arrives: at the function that starts the processes."""
    started: list[int] = []

    def count(*arguments: object, workers: int, **options: object) -> object:
        started.append(workers)
        return run_isolated(*arguments, workers=workers, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("edge_infer.workers.pool.run_isolated", count)
    (tmp_path / "films").mkdir()
    for number in range(default_workers() + 1):  # fewer films than that need fewer workers
        (tmp_path / "films" / f"{number}.png").write_bytes(png(1))
    words = [str(tmp_path / "films"), "--out", str(tmp_path / "out"), "--model", str(TINY)]
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 0
    assert started == [default_workers()] == [min(physical_cores(), 30)]


def test_memory_and_processor_are_named() -> None:
    memory = read_memory()
    assert memory is not None and memory.total > 2**28
    assert memory.available is None or 0 < memory.available <= memory.total
    assert processor_name()
