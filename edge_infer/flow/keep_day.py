"""One day kept in its folder: what is new is screened into the store, the lists come out of it.

The rules, each the simplest that neither loses nor doubles a row:

- A run looks at every file of the day and at what its inputs hold now. It screens contents that
  the store does not have, hashes files whose size or time changed, or that were younger than 60 s
  when they were hashed, and passes over the rest. So a rerun does what is new and what was cut off.
- A file that vanished keeps its row and what was found. Another folder screened into the same day
  adds its rows; with the second input all paths begin with their input's name, as they do where one
  command names several.
- Another model, preprocessing or reading mode finds no outcome under its key and screens the day
  again; a day's list is of one model. What has vanished meanwhile says that it cannot be opened.
- A refusal as unreadable is tried again when the file or the package changes, and in every run
  where the cause may lie in the PC (cannot_open, decoder_crashed, decoder_timeout).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Self

from edge_infer.errors import ReasonCode
from edge_infer.films.find import FoundFilm, FoundFilms, name_films
from edge_infer.films.look import Look
from edge_infer.flow.day_rows import RowMaker
from edge_infer.flow.screen import reading_mode, score_films
from edge_infer.flow.write_lists import (
    check_writable,
    remove_leftovers,
    write_lists,
    write_papers,
)
from edge_infer.model.classifier import Classifier
from edge_infer.model.model_card import ModelCard
from edge_infer.model.model_file import ModelFile
from edge_infer.page.pictures import write_pictures
from edge_infer.pc.language import Lang
from edge_infer.pc.long_paths import reachable
from edge_infer.store.day_store import DayStore, StoredFile
from edge_infer.store.outcome import ScoredFilm
from edge_infer.workers.pool import Crew, Pool, run_isolated
from edge_infer.worklist.audit_trail import append_lines, describe_decision, describe_mark
from edge_infer.worklist.picture_spool import PictureSpool, remove_old_spools
from edge_infer.worklist.rows import DEFAULT_PREVALENCE, ScreenedDay, WorklistRow, in_order
from edge_infer.worklist.site import Site

SETTLED_S = 60.0
"""A content hashed this long after the file's last change stands for size and time from then on:
a file system may tell of a change late (NTFS), and a copier may still have been at work."""
_RECORD_EVERY_S = 0.5
"""Each commit waits for the disk, 5 to 100 ms: half a second of films shares one."""


@dataclass(frozen=True, kw_only=True)
class DaySettings:
    """What a run was asked for."""

    model: ModelFile | Classifier
    card: ModelCard
    """The model's, or with a site's thresholds."""
    package_version: str
    workers: int
    file_timeout_s: float = 30.0
    include_patient: bool = False
    full_decode: bool = False
    has_gate: bool = True
    """Whether pictures that are no upright frontal chest film are held back."""
    site: Site | None = None
    """The site file whose TB threshold `card` holds already."""
    lang: Lang = Lang.EN
    """Of the page."""
    with_age_sex: bool = True
    """Whether page and JSON say age, sex and the film's time."""
    with_pictures: bool = False
    """Whether the heat maps are written as files too."""
    with_summary: bool = False
    """Whether the doctor's page is written, as `with_slips` is for the laboratory's."""
    with_slips: bool = False
    pool: Pool = run_isolated
    """What reads the films."""


@dataclass(frozen=True, kw_only=True)
class WrittenDay:
    """A day's list as it was written."""

    day: ScreenedDay
    folder: Path
    csv: Path
    papers: tuple[Path, ...] = ()
    """The summary and the slips, where they were asked for."""


class KeptDay:
    """An open day; `close` it, so that the next run need not wait."""

    def __init__(self, folder: Path, settings: DaySettings) -> None:
        """Raises ReportError where the folder cannot be written or locked, or is another's."""
        check_writable(folder)
        self.folder, self._settings = folder, settings
        self._mode = reading_mode(
            settings.model, full_decode=settings.full_decode, has_gate=settings.has_gate
        )
        self._unrecorded: list[Look[ScoredFilm]] = []
        self._store = DayStore.open(folder)
        remove_leftovers(folder)
        remove_old_spools(folder)
        self._pictures = PictureSpool(folder)
        self._rows = RowMaker(settings.card, self._pictures)
        self._listed_mark = 0
        """The last thing said that the lists have."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._pictures.close()
        self._store.close()

    def register(self, found: FoundFilms, *, today: date) -> None:
        """Give new files their rows; they are first seen `today`."""
        self._store.register(found, today=today.isoformat())

    def forget(self, places: Sequence[bytes]) -> None:
        """Take back the rows of files that vanished while they were arriving."""
        self._store.forget(places)

    def files(self) -> list[StoredFile]:
        return self._store.files()

    def files_to_look_at(self, present: Iterable[bytes] = ()) -> list[FoundFilm]:
        """Return the files of the day to look at: new, changed, cut off, or not yet sure.

        `present` are places where the inputs have something, be it a link to nowhere.
        """
        final, here = self._final(), set(present)
        return [file.found for file in self.files() if _needs_look(file, final, here)]

    def screen(
        self,
        files: Sequence[FoundFilm],
        *,
        mark: Callable[[Look[ScoredFilm]], Look[ScoredFilm]] = lambda file: file,
        crew: Crew | None = None,
    ) -> Generator[Look[ScoredFilm], None, None]:
        """Look at `files` and yield each look; all that was yielded is in the store at the end.

        `mark` may mark a file as still arriving; `crew` has started already. Closing the generator
        early loses nothing either.
        """
        if not files:
            return
        results = score_films(
            [file.path for file in files],
            self._settings.model,
            workers=self._settings.workers,
            include_patient=self._settings.include_patient,
            file_timeout_s=self._settings.file_timeout_s,
            full_decode=self._settings.full_decode,
            has_gate=self._settings.has_gate,
            known=self._final(),
            crew=crew,
            pool=self._settings.pool,
        )
        recorded = time.monotonic()
        try:
            with closing(results):
                for index, found in results:
                    look = mark(replace(found, place=files[index].place, at=time.time()))
                    self._unrecorded.append(look)
                    if look.sha256 is not None and isinstance(look.outcome, ScoredFilm):
                        self._rows.prepare(look.sha256, look.outcome)
                    if time.monotonic() - recorded >= _RECORD_EVERY_S:
                        self.record()
                        recorded = time.monotonic()
                    yield look
        finally:
            self.record()

    def record(self) -> None:
        """Put what was found so far on the disk."""
        waiting, self._unrecorded = self._unrecorded, []
        if waiting:
            self._store.record(
                waiting,
                self._mode,
                package=self._settings.package_version,
                include_patient=self._settings.include_patient,
            )

    def write(self, found: FoundFilms | None = None, *, with_waiting: bool = False) -> WrittenDay:
        """Decide, enter the decisions in the audit trail, and write the three lists.

        `found` tells what the inputs hold beside films. `with_waiting` gives files without an
        outcome a row too.
        """
        self.record()
        last_mark = self._store.last_mark()
        rows, n_files = self._make_rows(with_waiting=with_waiting)
        site = self._settings.site
        day = ScreenedDay(
            rows=in_order(row for _, row in rows),
            n_files=n_files,
            ignored=found.ignored if found else 0,
            unreadable_folders=found.unreadable_folders if found else (),
            archives=found.archives if found else (),
            card=self._settings.card,
            model_sha256=self._settings.model.sha256,
            package_version=self._settings.package_version,
            generated_at=datetime.now().astimezone(),
            include_patient=self._settings.include_patient,
            with_age_sex=self._settings.with_age_sex,
            site=site,
            prevalence=site.prevalence if site else DEFAULT_PREVALENCE,
            lang=self._settings.lang,
            has_pictures=self._settings.with_pictures,
            is_gate_off=not self._settings.has_gate and self._settings.card.gate is not None,
        )
        self._store.require_ownership()
        self._audit(rows)
        self._audit_marks()
        csv = write_lists(day, self.folder)
        self._listed_mark = last_mark
        if day.has_pictures:
            write_pictures(day, self.folder)
        papers = write_papers(
            day,
            self.folder,
            with_summary=self._settings.with_summary,
            with_slips=self._settings.with_slips,
        )
        is_final = all(row.reason_code is not ReasonCode.ARRIVING for _, row in rows)
        if day.is_complete and is_final:
            self._store.mark_finished()
        return WrittenDay(day=day, folder=self.folder, csv=csv, papers=papers)

    def has_news_from_desk(self) -> bool:
        """Tell whether something was said of a film that the lists do not have."""
        return self._store.last_mark() != self._listed_mark

    def has_rows(self) -> bool:
        """Tell whether a list would have a row."""
        return bool(self._make_rows(with_waiting=False)[0])

    def _make_rows(self, *, with_waiting: bool) -> tuple[list[tuple[StoredFile, WorklistRow]], int]:
        files = self.files()
        names = name_films(self._store.inputs(), (file.found for file in files))
        outcomes = self._store.outcomes(self._mode, include_patient=self._settings.include_patient)
        with closing(outcomes):  # before the store is, also where a row could not be made
            rows = self._rows.make(outcomes, names, with_waiting=with_waiting)
        marks = self._store.marks()
        return [
            (file, replace(row, marks=marks[file.sha256]) if file.sha256 in marks else row)
            for file, row in rows
        ], len(files)

    def _audit(self, rows: Sequence[tuple[StoredFile, WorklistRow]]) -> None:
        lines = [
            describe_decision(
                file.row,
                file.sha256,
                row,
                card=self._settings.card,
                model_sha256=self._settings.model.sha256,
                package_version=self._settings.package_version,
                site_id=self._settings.site.site_id if self._settings.site else None,
            )
            for file, row in rows
            if row.reason_code is not ReasonCode.ARRIVING
        ]
        audited = {file.row: file.audited for file, _ in rows}
        new = [line for line in lines if audited[line.row] != line.digest]
        if new:
            append_lines(self.folder, new, now=datetime.now().astimezone())
            self._store.mark_audited({line.row: line.digest for line in new})

    def _audit_marks(self) -> None:
        new = self._store.unaudited_marks()
        if new:
            lines = [
                describe_mark(one.number, one.sha256, one.kind, one.value, said_at=one.at)
                for one in new
            ]
            append_lines(self.folder, lines, now=datetime.now().astimezone())
            self._store.mark_marks_audited(new[-1].number)

    def _final(self) -> frozenset[str]:
        return self._store.final_hashes(
            self._mode,
            package=self._settings.package_version,
            include_patient=self._settings.include_patient,
        )


def _needs_look(file: StoredFile, final: frozenset[str], present: set[bytes]) -> bool:
    if file.sha256 not in final or file.reason_code is ReasonCode.ARRIVING:
        return True
    try:
        status = reachable(file.found.path).stat()
    except OSError:
        return file.found.place in present  # vanished: what was found stands
    if (status.st_size, status.st_mtime_ns) != (file.size, file.mtime_ns):
        return True
    assert file.checked_at is not None and file.changed_at is not None, "it has a hash"
    return file.checked_at - max(file.changed_at, status.st_mtime) < SETTLED_S
