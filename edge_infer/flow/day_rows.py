"""The store's rows become the worklist's: decisions are made here, with the thresholds of now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage
from edge_infer.model.findings import to_finding
from edge_infer.model.model_card import ModelCard
from edge_infer.store.day_files import StoredFile
from edge_infer.store.film_record import FilmOutcome, ScoredFilm
from edge_infer.worklist.picture_spool import PictureSpool
from edge_infer.worklist.rows import WorklistRow, refused_row, screened_row


def arriving() -> ImageError:
    """Return what the list says of a file that may still be growing, or has no look yet."""
    return UnreadableImage(
        "The file is still arriving, or not screened yet; it is looked at again by itself.",
        ReasonCode.ARRIVING,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class DayRow:
    """A row of the list with what the audit trail needs beside it."""

    file: StoredFile
    row: WorklistRow


class RowMaker:
    """Makes the rows of a day and keeps those of unchanged films: a list is written every 2 s.

    One serves one run: what it keeps was decided with that run's card.
    """

    def __init__(self, card: ModelCard, pictures: PictureSpool) -> None:
        """Keep small pictures in `pictures`, out of memory."""
        self._card, self._pictures = card, pictures
        self._made: dict[str, WorklistRow] = {}
        """Rows of scored films by content."""

    def prepare(self, sha256: str, film: ScoredFilm) -> None:
        """Make the row of a film ahead, its pictures too, while others are still being read."""
        if sha256 in self._made:
            return
        row = screened_row(
            "",
            to_finding(film.logits, self._card),
            self._card,
            study=film.study,
            thumbnail=film.thumbnail,
            cam=film.cam,
        )
        keep = self._pictures.keep
        self._made[sha256] = replace(
            row, thumbnail=keep(bytes(row.thumbnail)), heat=keep(bytes(row.heat))
        )

    def make(
        self,
        outcomes: Iterable[tuple[StoredFile, FilmOutcome | None]],
        names: dict[int, str],
        *,
        with_waiting: bool,
    ) -> list[DayRow]:
        """Return a row per file; of those without an outcome only where `with_waiting`."""
        made = []
        for file, outcome in outcomes:
            if outcome is None and with_waiting:
                outcome = arriving()
            if outcome is not None:
                row = self._to_row(names[file.row], file.sha256, outcome)
                made.append(DayRow(file=file, row=row))
        return made

    def _to_row(self, shown: str, sha256: str | None, outcome: FilmOutcome) -> WorklistRow:
        if isinstance(outcome, ImageError):
            return refused_row(shown, outcome)
        assert sha256 is not None, "a score has content"
        self.prepare(sha256, outcome)
        return replace(self._made[sha256], path=shown)
