"""From a day's rows to results in a folder and in the archive, whatever is killed in between.

A process of its own does this (`commands/deliver.py`): it reads the days that `cxr-infer`,
`cxr-listen` or `cxr-fetch` keep, and what it did stands in the outbox. So screening loads no
network library, and a node that does not answer holds up no list.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from edge_infer.errors import ImageError, ReportError
from edge_infer.flow.day_results import ScoredRow, read_scored_rows
from edge_infer.model.model_card import ModelCard
from edge_infer.model.model_file import ModelFile
from edge_infer.net.outbox import Counts, Outbox
from edge_infer.net.results.identifiers import derive_uid
from edge_infer.net.results.job import ResultJob
from edge_infer.net.results.make import MadeResult, make_results
from edge_infer.net.spool import remove_older
from edge_infer.net.support_log import SupportLog
from edge_infer.net.targets import Answer, Target
from edge_infer.pc.whole_files import require_writable
from edge_infer.store.day_store import STORE_NAME, TRANSIENT
from edge_infer.workers.pool import Pool, run_isolated

_MAKE_TIMEOUT_S = 120.0
_AT_ONCE = 50
"""Films whose results are made before they are sent."""


@dataclass(frozen=True, kw_only=True)
class DeliverySettings:
    """Of what the results are made."""

    model: ModelFile
    card: ModelCard
    """With a site's thresholds, where the day has them."""
    site_id: str | None
    package_version: str
    with_heat: bool = True
    full_decode: bool = False
    has_gate: bool = True
    free_bytes: int = 0
    """What must stay free of the disk, on which a day's lists may be too."""
    pool: Pool = run_isolated

    @property
    def key(self) -> str:
        """What, beside a film's content, its results depend on."""
        points = self.card.operating_points
        return derive_uid(
            "settings",
            self.model.sha256,
            points.refer_tb.threshold,
            points.abnormal.threshold,
            self.site_id,
            self.with_heat,
        )


class Delivery:
    """Makes and sends the results of some days; `close` it."""

    def __init__(self, folder: Path, settings: DeliverySettings, targets: Sequence[Target]) -> None:
        """Put results into `folder`; ReportError where it cannot be written."""
        try:
            require_writable(folder)
        except OSError as error:
            raise _cannot_write(folder, error) from error
        self._folder, self._settings, self._targets = folder, settings, targets
        self._outbox, self._log = Outbox(folder), SupportLog(folder)
        self._seen: dict[Path, tuple[int, int]] = {}
        """The state of each day's record when all its results had been made."""

    def close(self) -> None:
        self._outbox.__exit__()
        self._log.close()

    def step(self, days: Sequence[Path], *, is_patient: bool = True) -> None:
        """Make what is missing of these days, and send what is due.

        Not `is_patient`: what waits for a later try is sent too. Raises ReportError; where nothing
        more can be made, what was made is sent first.
        """
        try:
            for day in days:
                self._make(day)
        finally:
            for target in self._targets:
                self._send(target, is_patient=is_patient)

    def remove_older(self, days: int, *, now: float | None = None) -> int:
        """Remove results made more than `days` days ago that wait for nobody; return how many."""
        waiting = self._outbox.waiting()
        done = (one for one in self._folder.glob("*.dcm") if one.name not in waiting)
        return remove_older(done, days, now=now)

    def counts(self) -> dict[str, Counts]:
        """Return how far each target is, by name."""
        return {target.name: self._outbox.count(target.name) for target in self._targets}

    def _make(self, day: Path) -> None:
        record = day / STORE_NAME
        if not record.is_file():
            return  # nothing was screened yet
        status = record.stat()
        state = status.st_mtime_ns, status.st_size
        if self._seen.get(day) == state:
            return
        settings = self._settings
        made = self._outbox.made(settings.key)
        rows = read_scored_rows(
            day,
            settings.model,
            settings.card,
            full_decode=settings.full_decode,
            has_gate=settings.has_gate,
            without=made,
        )
        # A target that was not named when they were made; what is gone by age is not for it.
        names = [name for one in made.values() for name in one if (self._folder / name).is_file()]
        self._outbox.enqueue(names, [target.name for target in self._targets])
        for start in range(0, len(rows), _AT_ONCE):
            self._make_some(rows[start : start + _AT_ONCE])
        self._seen[day] = state

    def _make_some(self, rows: Sequence[ScoredRow]) -> None:
        jobs = {str(row.path): self._job(row) for row in rows}
        results = self._settings.pool(
            partial(
                make_results,
                jobs=jobs,
                folder=self._folder,
                free_bytes=self._settings.free_bytes,
            ),
            [row.path for row in rows],
            workers=1,
            timeout_s=_MAKE_TIMEOUT_S,
        )
        try:
            with closing(results):
                for index, result in results:
                    self._note(rows[index], result)
        except OSError as error:
            raise _cannot_write(self._folder, error) from error

    def _note(self, row: ScoredRow, result: MadeResult | ImageError) -> None:
        if isinstance(result, ImageError):
            self._log.write("no result", film=row.sha256[:32], reason=str(result))
            if result.code not in TRANSIENT:
                self._note_made(row, (), str(result))
            return
        self._log.write("made", film=row.sha256[:32], files=len(result.names))
        self._note_made(row, result.names, result.left_out)

    def _note_made(self, row: ScoredRow, names: Sequence[str], note: str) -> None:
        self._outbox.note_made(
            row.sha256,
            self._settings.key,
            names,
            note=note,
            targets=[target.name for target in self._targets],
        )

    def _job(self, row: ScoredRow) -> ResultJob:
        settings = self._settings
        return ResultJob(
            sha256=row.sha256,
            finding=row.finding,
            decision=row.decision,
            cam=row.cam,
            heat_class=row.heat_class,
            card=settings.card,
            model_sha256=settings.model.sha256,
            site_id=settings.site_id,
            package_version=settings.package_version,
            found_at=datetime.fromtimestamp(int(row.checked_at)),
            with_heat=settings.with_heat,
        )

    def _send(self, target: Target, *, is_patient: bool) -> None:
        now = time.time() if is_patient else float("inf")
        names = self._outbox.due(target.name, now=now)
        files = [self._folder / name for name in names if (self._folder / name).is_file()]
        gone = sorted(set(names) - {file.name for file in files})
        if gone:
            self._outbox.note_failure(
                gone, target.name, "its file is gone", now=time.time(), is_refusal=True
            )
        if not files:
            return
        for one in target.send(files):
            self._log.write("sent", target=target.name, object=one.name[:32], said=one.said)
            if one.answer is Answer.TAKEN:
                self._outbox.note_sent(one.name, target.name, one.said)
            else:
                self._outbox.note_failure(
                    [one.name],
                    target.name,
                    one.said,
                    now=time.time(),
                    is_refusal=one.answer is Answer.REFUSED,
                )


def deliver_all(
    delivery: Delivery,
    days: Sequence[Path],
    *,
    patience_s: float,
    wait: Callable[[float], object] = time.sleep,
) -> None:
    """Make and send all of these days, trying again for a while what is not taken at once."""
    until = time.monotonic() + patience_s
    pause = 1.0
    delivery.step(days, is_patient=False)
    while any(one.waiting for one in delivery.counts().values()) and time.monotonic() < until:
        wait(pause)
        pause = min(2 * pause, 10.0)
        delivery.step(days, is_patient=False)


def _cannot_write(folder: Path, error: OSError) -> ReportError:
    return ReportError(
        f"Results cannot be written into {folder} ({error.strerror or error}): free the disk or "
        "name another folder with --dicom-out."
    )
