"""The day as the desk shows it: the store's rows with what people said, grouped by examination."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from edge_infer.errors import ImageError, ReasonCode
from edge_infer.films.find import FoundFilms, name_films
from edge_infer.flow.day_rows import arriving
from edge_infer.flow.keep_day import DaySettings
from edge_infer.flow.screen import reading_mode
from edge_infer.model.findings import to_finding
from edge_infer.page.studies import group_by_study, in_page_order
from edge_infer.store.day_store import StoredFile
from edge_infer.store.day_view import DayView
from edge_infer.store.outcome import FilmOutcome, ScoredFilm
from edge_infer.worklist.marks import Mark, MarkKind
from edge_infer.worklist.rows import (
    DEFAULT_PREVALENCE,
    Decision,
    ScreenedDay,
    WorklistRow,
    in_order,
    refused_row,
    screened_row,
)


@dataclass(frozen=True, kw_only=True)
class LiveFilm:
    """One film of the day."""

    rank: int
    """Its number in the page, from 1."""
    row: WorklistRow
    file: StoredFile

    @property
    def number(self) -> int:
        """The row's number in the store: its address, for it never changes."""
        return self.file.row

    @property
    def is_arriving(self) -> bool:
        return self.row.reason_code is ReasonCode.ARRIVING


@dataclass(frozen=True, kw_only=True)
class LiveStudy:
    """The films of one examination, the most urgent first."""

    films: tuple[LiveFilm, ...]

    @property
    def key(self) -> str:
        """A name that stays while films arrive, and says nothing."""
        study = self.films[0].row.study
        uid = study.study_instance_uid if study is not None else ""
        if not uid:
            return f"film-{self.films[0].number}"
        return f"study-{hashlib.sha256(uid.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"

    @property
    def decision(self) -> Decision | None:
        return self.films[0].row.decision

    @property
    def contents(self) -> list[str]:
        """The contents of its films, each once: what is said of one is said of all."""
        hashes = (film.file.sha256 for film in self.films)
        return list(dict.fromkeys(sha256 for sha256 in hashes if sha256 is not None))

    @property
    def marks(self) -> Mapping[MarkKind, Mark]:
        """What is said of any of its films: one that arrived later has nothing of its own yet."""
        marks: dict[MarkKind, Mark] = {}
        for film in self.films:
            marks = {**film.row.marks, **marks}
        return marks

    @property
    def is_to_order(self) -> bool:
        """Whether it is referred and nobody has ordered, or done, the second test."""
        is_open = not {MarkKind.TEST_ORDERED, MarkKind.TEST_DONE, MarkKind.TB} & set(self.marks)
        return self.decision is Decision.REFER_TB and is_open


@dataclass(frozen=True, kw_only=True)
class LiveDay:
    """The day at one instant."""

    day: ScreenedDay
    studies: tuple[LiveStudy, ...]
    last_film_at: float | None
    """When a film was last looked at, in seconds of `time.time`."""

    def find(self, number: int) -> tuple[LiveStudy, LiveFilm] | None:
        """Return a film, by its number, with its examination."""
        for study in self.studies:
            for film in study.films:
                if film.number == number:
                    return study, film
        return None

    @property
    def n_arriving(self) -> int:
        return sum(film.is_arriving for study in self.studies for film in study.films)


class LiveReader:
    """Reads days; keeps the rows of unchanged films."""

    def __init__(self, settings: DaySettings) -> None:
        self.settings = settings
        self.mode = reading_mode(
            settings.model, full_decode=settings.full_decode, has_gate=settings.has_gate
        )
        self._made: dict[str, WorklistRow] = {}
        """Rows of scored films by content."""

    def read(self, view: DayView, beside: FoundFilms, *, is_whole: bool) -> LiveDay:
        """Return the day as it is now; raises ReportError.

        `beside` tells what lies beside the films. Where it is not `is_whole`, films that have no
        outcome yet are arriving.
        """
        settings = self.settings
        seen = view.read(self.mode, include_patient=settings.include_patient)
        names = name_films(seen.inputs, (file.found for file, _ in seen.films))
        by_path: dict[str, StoredFile] = {}
        rows: list[WorklistRow] = []
        for file, outcome in seen.films:
            if outcome is None and is_whole:
                continue
            row = self._row(names[file.found.place], file.sha256, outcome or arriving())
            rows.append(replace(row, marks=seen.marks.get(file.sha256 or "", {})))
            by_path[row.path] = file
        site = settings.site
        day = ScreenedDay(
            rows=in_order(rows),
            n_files=len(seen.films),
            ignored=beside.ignored,
            unreadable_folders=beside.unreadable_folders,
            archives=beside.archives,
            card=settings.card,
            model_sha256=settings.model.sha256,
            package_version=settings.package_version,
            generated_at=datetime.now().astimezone(),
            include_patient=settings.include_patient,
            with_age_sex=settings.with_age_sex,
            site=site,
            prevalence=site.prevalence if site else DEFAULT_PREVALENCE,
            lang=settings.lang,
            is_gate_off=not settings.has_gate and settings.card.gate is not None,
        )
        return LiveDay(
            day=day,
            studies=tuple(_studies(day.rows, by_path)),
            last_film_at=max(
                (at for file, _ in seen.films if (at := file.checked_at)), default=None
            ),
        )

    def _row(self, path: str, sha256: str | None, outcome: FilmOutcome) -> WorklistRow:
        if isinstance(outcome, ImageError):
            return refused_row(path, outcome)
        assert sha256 is not None, "a score has content"
        if sha256 not in self._made:
            self._made[sha256] = self._scored_row(outcome)
        return replace(self._made[sha256], path=path)

    def _scored_row(self, film: ScoredFilm) -> WorklistRow:
        card = self.settings.card
        finding = to_finding(film.logits, card)
        return screened_row("", finding, card, study=film.study, thumbnail=film.thumbnail)


def _studies(
    rows: tuple[WorklistRow, ...], by_path: Mapping[str, StoredFile]
) -> Iterable[LiveStudy]:
    for study in in_page_order(group_by_study(rows)):
        yield LiveStudy(
            films=tuple(
                LiveFilm(rank=rank, row=row, file=by_path[row.path]) for rank, row in study.films
            )
        )
