"""Kill `cxr-fetch` while it reads a day from an archive and sends results back; count everything.

    python -m benchmarks.fetch_kills WORK_FOLDER [--films 300]

The archive is Orthanc (Debian's orthanc and orthanc-dicomweb), started here on loopback. One kill
comes at a random moment of fetching, one at a random moment of making and sending results; then the
command is run to its end, and once more, which must find nothing to do. Orthanc's own log says how
often each film was read.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.edge.made_day import TINY
from tests.edge.net.made_nodes import film, uid_of
from tests.edge.net.made_orthanc import PASSWORD, USER, Orthanc, orthanc
from tests.edge.net.made_results import WHOLE_HEADER
from tests.edge.net.running_listener import ROOT, listed

DAY = "2026-11-23"


@dataclass
class Count:
    """What became of the day."""

    films: int
    codes: list[int] = field(default_factory=list)
    """Exit code of every run; negative: killed."""
    killed_at: list[str] = field(default_factory=list)
    reads: Counter[str] = field(default_factory=Counter)
    """WADO-RS requests, by film."""
    rows: Counter[str] = field(default_factory=Counter)
    """Rows that have a score, by film."""
    kept: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Objects in the archive, by study and modality."""
    last_reads: int = 0
    """WADO-RS requests of the run that had nothing to do."""
    stored: int = 0
    """STOW-RS requests."""


def measure(folder: Path, *, films: int, seed: int = 1) -> Count:
    """Fetch, kill, fetch again; return what became of the day."""
    draw, out, count = random.Random(seed), folder / "out", Count(films)
    spool, results = out / "fetched" / DAY / "films", out / "dicom"
    with orthanc(folder / "orthanc") as server:
        for number in range(films):
            own = {"SeriesInstanceUID": f"1.2.3.9.{number}", "PatientID": f"P{number}"}
            modality = "DX" if number % 3 == 0 else "CR"
            server.upload(film(number, **{**WHOLE_HEADER, **own, "Modality": modality}))
        for name, place, most in (("fetched", spool, films), ("results made", results, 2 * films)):
            moment = draw.randint(most // 10, most * 9 // 10)
            count.codes.append(_run(server, out, lambda at=place, n=moment: _files(at) >= n))  # type: ignore[misc]
            count.killed_at.append(f"{_files(place)} {name}")
        count.codes.append(_run(server, out))
        count.reads = Counter(_films_read(server))
        count.codes.append(_run(server, out))
        count.last_reads = len(_films_read(server)) - count.reads.total()
        count.stored = sum(one.endswith("/studies") for one in server.requests("POST"))
        count.rows = Counter(
            row["sop_instance_uid"] for row in listed(out) if row["status"] == "screened"
        )
        for one in server.find("Series"):
            key = one["ParentStudy"], one["MainDicomTags"]["Modality"]
            count.kept[key] += len(one["Instances"])
    return count


def _run(server: Orthanc, out: Path, is_time: Callable[[], bool] = lambda: False) -> int:
    """Run the command to its end, or kill it once it is time."""
    command = [sys.executable, "-m", "edge_infer.commands.fetch", "--dicomweb", server.dicomweb]
    command += ["--date", DAY, "--out", str(out), "--send-back", "--quiet"]
    command += ["--model", str(TINY), "--workers", "1"]
    known = {"CXR_DICOMWEB_USER": USER, "CXR_DICOMWEB_PASSWORD": PASSWORD}
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **known}) as process:
        while process.poll() is None:
            if is_time():
                process.kill()
            time.sleep(0.02)
        return process.wait()


def _files(folder: Path) -> int:
    return len(list(folder.glob("*.dcm")))


def _films_read(server: Orthanc) -> list[str]:
    paths = (re.search(r"/instances/([0-9.]+)$", one) for one in server.requests("GET"))
    return [match[1] for match in paths if match is not None]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--films", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    count = measure(options.folder, films=options.films, seed=options.seed)
    print(f"killed at: {', '.join(count.killed_at)}; exit codes {count.codes}")
    wanted = {uid_of(number) for number in range(count.films)}
    print(f"{count.films} films: {len(count.rows)} screened, {count.rows.total()} rows, ", end="")
    print(f"{len(wanted - set(count.rows))} missing")
    twice = [uid for uid, times in count.reads.items() if times > 1]
    print(f"read: {count.reads.total()} requests, {len(twice)} films more than once; ", end="")
    print(f"{count.last_reads} in the run that had nothing to do")
    by_kind = Counter((kind, times) for (_, kind), times in count.kept.items())
    for (kind, times), studies in sorted(by_kind.items()):
        print(f"{studies} studies with {times} {kind}")
    print(f"{count.stored} STOW-RS requests; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
