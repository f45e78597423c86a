"""Kill `cxr-listen` while several peers send, start it again, and count every film.

    python -m benchmarks.listener_kills WORK_FOLDER [--films 1000] [--kills 2] [--senders 4]

A kill is a SIGKILL at a random moment of receiving and screening: after a number of acknowledged
films drawn at random, and up to half a second more. After each, every film that was acknowledged
must be on the disk as it was sent. The senders go on with what was not acknowledged, and each sends
its last film again that was. At the end every film must be in the lists once.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread

import numpy as np
from pydicom import dcmread
from pynetdicom.association import Association

from edge_infer.net.services import FILM_SYNTAXES
from edge_infer.net.spool import hash_uid
from tests.edge.films.dicom.dicom_factory import make_dicom
from tests.edge.net.made_nodes import associated, uid_of
from tests.edge.net.running_listener import listed, listener, screened, wait_for

ROWS, COLUMNS = 160, 200
PAUSE_S = 0.1
"""Between two films of a sender, so that some are screened while others come."""


@dataclass
class Count:
    """What became of the films."""

    films: int
    acknowledged: set[int] = field(default_factory=set)
    sent: int = 0
    """C-STORE requests, those without an answer included."""
    on_disk: int = 0
    rows: int = 0
    killed_at: list[tuple[int, int]] = field(default_factory=list)
    """Films acknowledged, and listed, at each kill."""
    lost: set[int] = field(default_factory=set)
    """Acknowledged, and then not on the disk as sent, or in no list."""
    doubled: set[str] = field(default_factory=set)
    """UIDs with more than one row."""


class Senders:
    """Peers that send until every film is acknowledged; each its own share, in order."""

    def __init__(self, films: Path, count: Count, senders: int) -> None:
        self.count = count
        self._films = films
        self._shares = [list(range(one, count.films, senders)) for one in range(senders)]
        self._lock = Lock()

    def send_all(self, port: int) -> None:
        """Send what is left, until the listener is gone."""
        with ThreadPoolExecutor(len(self._shares)) as pool:
            list(pool.map(lambda share: self._send_share(port, share), self._shares))

    def _send_share(self, port: int, share: list[int]) -> None:
        last: list[int] = []
        with associated(port, calling=f"XRAY{share[0] if share else 0}") as association:
            while share and self._is_taken(association, share[0]):
                last = [share.pop(0)]
        if share:
            share[:0] = last

    def _is_taken(self, association: Association, number: int) -> bool:
        with self._lock:
            self.count.sent += 1
        try:
            status = association.send_c_store(film_file(self._films, number))
        except RuntimeError:  # the association ended before the request went out
            return False
        is_taken = "Status" in status and status.Status == 0
        with self._lock:
            self.count.acknowledged |= {number} if is_taken else set()
        time.sleep(PAUSE_S)
        return is_taken


def make_films(folder: Path, count: int) -> None:
    """Write small films; they differ in pixels and UID, and go round the syntaxes."""
    folder.mkdir(parents=True)
    rows, columns = np.mgrid[0:ROWS, 0:COLUMNS]
    for number in range(count):
        wave = np.sin(rows / (9 + number % 37)) + np.cos(columns / (7 + number % 41))
        noise = np.random.default_rng(number).normal(0, 6, rows.shape)
        grey = np.clip(wave * 60 + 128 + noise, 0, 255).astype(np.uint8)
        syntax = FILM_SYNTAXES[number % len(FILM_SYNTAXES)].uid
        uids = {"SOPInstanceUID": uid_of(number), "StudyInstanceUID": f"1.2.3.{number}"}
        film_file(folder, number).write_bytes(make_dicom(grey, syntax=syntax, **uids))


def film_file(folder: Path, number: int) -> Path:
    return folder / f"{number}.dcm"


def measure(folder: Path, *, films: int, kills: int, senders: int = 4, seed: int = 1) -> Count:
    """Send, kill, start again; return what became of the films."""
    draw, out, sources, count = random.Random(seed), folder / "out", folder / "films", Count(films)
    make_films(sources, films)
    at_work = Senders(sources, count, senders)
    for moment in sorted(draw.sample(range(films // 10, films * 9 // 10), kills)):
        with (
            listener(out) as (process, port),
            _killing(process, count, moment, draw.uniform(0, 0.5)),
        ):
            at_work.send_all(port)
        count.killed_at.append((len(count.acknowledged), len(screened(out))))
        count.lost |= _missing(out, sources, count.acknowledged)
    with listener(out) as (process, port):
        at_work.send_all(port)
        wait_for(lambda: len(screened(out)) == films, seconds=3600)
        process.terminate()
        process.wait()
    count.lost |= _missing(out, sources, count.acknowledged)
    rows = Counter(row["sop_instance_uid"] for row in listed(out))
    count.rows = rows.total()
    count.doubled = {uid for uid, times in rows.items() if times > 1}
    count.lost |= {one for one in count.acknowledged if uid_of(one) not in rows}
    count.on_disk = len(list(_films(out).iterdir()))
    return count


@contextmanager
def _killing(
    process: subprocess.Popen[str], count: Count, moment: int, delay_s: float
) -> Iterator[None]:
    """Kill the process once so many films are acknowledged and `delay_s` is over."""
    ended = Event()

    def kill() -> None:
        while len(count.acknowledged) < moment and not ended.is_set():
            time.sleep(0.01)
        ended.wait(delay_s)
        process.kill()

    thread = Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _missing(out: Path, sources: Path, numbers: set[int]) -> set[int]:
    """Return those of the films that are not on the disk with the pixels that were sent."""
    kept = {one: _films(out) / f"{hash_uid(uid_of(one))}.dcm" for one in numbers}
    return {one for one in numbers if not _is_same(film_file(sources, one), kept[one])}


def _films(out: Path) -> Path:
    return out / "spool" / "films"


def _is_same(sent: Path, kept: Path) -> bool:
    return kept.is_file() and dcmread(kept).PixelData == dcmread(sent).PixelData


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--films", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--senders", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    count = measure(
        options.folder,
        films=options.films,
        kills=options.kills,
        senders=options.senders,
        seed=options.seed,
    )
    for acknowledged, scored in count.killed_at:
        print(f"killed when {acknowledged} films were acknowledged and {scored} listed")
    print(f"{count.films} films in {count.sent} requests: {len(count.acknowledged)} acknowledged,")
    print(f"{count.on_disk} on the disk, {count.rows} rows, {len(count.doubled)} doubled, ", end="")
    print(f"{len(count.lost)} lost; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
