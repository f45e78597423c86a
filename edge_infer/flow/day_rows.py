"""The store's rows become the worklist's: decisions are made here, with the thresholds of now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage
from edge_infer.model.findings import to_finding
from edge_infer.model.model_card import ModelCard
from edge_infer.store.day_store import StoredFile
from edge_infer.store.outcome import FilmOutcome, ScoredFilm
from edge_infer.worklist.picture_spool import PictureSpool, SpooledPicture
from edge_infer.worklist.rows import WorklistRow, refused_row, screened_row


def arriving() -> ImageError:
    """Return what the list says of a file that may still be growing, or has no look yet."""
    return UnreadableImage(
        "The file is still arriving, or not screened yet; it is looked at again by itself.",
        ReasonCode.ARRIVING,
    )


class RowMaker:
    """Makes the rows of a day and keeps those of unchanged films: a list is written every 2 s.

    One serves one run: what it keeps was decided with that run's card.
    """

    def __init__(self, card: ModelCard, pictures: PictureSpool) -> None:
        """Keep small pictures in `pictures`, out of memory."""
        self._card, self._pictures = card, pictures
        self._made: dict[str, WorklistRow] = {}
        """Rows of scored films by content."""
        self._shown: dict[str, SpooledPicture] = {}
        """Small pictures of refused films by content."""

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
            remark=film.remark,
        )
        keep = self._pictures.keep
        self._made[sha256] = replace(
            row, thumbnail=keep(bytes(row.thumbnail)), heat=keep(bytes(row.heat))
        )

    def make(
        self,
        outcomes: Iterable[tuple[StoredFile, FilmOutcome | None]],
        names: dict[bytes, str],
        *,
        with_waiting: bool,
    ) -> list[tuple[StoredFile, WorklistRow]]:
        """Return each file with its row; of those without an outcome only where `with_waiting`.

        `names` are what the list calls the files, by place.
        """
        made = []
        for file, outcome in outcomes:
            if outcome is None and with_waiting:
                outcome = arriving()
            if outcome is not None:
                row = self._to_row(names[file.found.place], file.sha256, outcome)
                made.append((file, row))
        return made

    def _to_row(self, shown: str, sha256: str | None, outcome: FilmOutcome) -> WorklistRow:
        if isinstance(outcome, ImageError):
            row = refused_row(shown, outcome)
            if sha256 is None or not row.thumbnail:
                return row
            if sha256 not in self._shown:
                self._shown[sha256] = self._pictures.keep(bytes(row.thumbnail))
            return replace(row, thumbnail=self._shown[sha256])
        assert sha256 is not None, "a score has content"
        self.prepare(sha256, outcome)
        return replace(self._made[sha256], path=shown)
