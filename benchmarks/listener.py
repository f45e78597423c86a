"""How fast `cxr-listen` takes films, beside DCMTK's `storescp` with the same films, in one run.

    python -m benchmarks.listener [FILMS]

Both are sent to by DCMTK's `storescu`, in turn, three times; films/s of the best turn, and their
ratio, and the listener's own processor time a film, which work beside it changes little. `storescp`
writes without waiting for the disk, the listener answers when the disk has it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from edge_infer.net.listener import Listener
from edge_infer.net.spool import Spool
from edge_infer.net.support_log import SupportLog
from tests.edge.films.dicom.dicom_factory import make_dicom
from tests.edge.net.made_nodes import debian_program

TURNS = 3
ROWS, COLUMNS = 2500, 2048


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        films = _make_films(work / "films", count)
        ours, theirs, busy = [], [], []
        for turn in range(TURNS):
            began = time.process_time()
            ours.append(_measure_listener(work / f"ours-{turn}", films))
            busy.append(time.process_time() - began)
            theirs.append(_measure_storescp(work / f"theirs-{turn}", films))
    best_ours, best_theirs = count / min(ours), count / min(theirs)
    print(f"{count} films of {ROWS} x {COLUMNS}, 12 bit, uncompressed; films/s, best of {TURNS}")
    print(f"cxr-listen {best_ours:.1f}, storescp {best_theirs:.1f}")
    print(f"ratio {best_ours / best_theirs:.2f}")
    print(f"processor time of cxr-listen: {1000 * min(busy) / count:.0f} ms a film")


def _make_films(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    draw = np.random.default_rng(1)
    picture = draw.integers(0, 4096, (ROWS, COLUMNS)).astype("u2")
    paths = []
    for number in range(count):
        paths.append(folder / f"{number}.dcm")
        paths[-1].write_bytes(make_dicom(picture, bits=12, SOPInstanceUID=f"1.2.3.4.{number}"))
    return paths


def _send(port: int, films: list[Path]) -> float:
    to = ["-aec", "CXREDGE", "127.0.0.1", str(port)]
    began = time.perf_counter()
    subprocess.run(
        [str(debian_program("storescu")), *to, *map(str, films)],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def _measure_listener(folder: Path, films: list[Path]) -> float:
    folder.mkdir()
    with (
        closing(SupportLog(folder)) as log,
        Listener(
            Spool(folder / "spool"), log, ae_title="CXREDGE", address=("127.0.0.1", 0)
        ) as listener,
    ):
        return _timed(folder, lambda: _send(listener.port, films))


def _measure_storescp(folder: Path, films: list[Path]) -> float:
    folder.mkdir()
    port = 11999
    words = [str(debian_program("storescp")), "-aet", "CXREDGE", "-pdu", "131072"]
    words += ["-od", str(folder), str(port)]
    with subprocess.Popen(words) as process:
        try:
            time.sleep(1.0)
            return _timed(folder, lambda: _send(port, films))
        finally:
            process.terminate()


def _timed(folder: Path, run: Callable[[], float]) -> float:
    try:
        return run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
