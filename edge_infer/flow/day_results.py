"""The scored films of a kept day, for those who make something of them beside the lists.

Read while another process may own the day and go on with it.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_infer.films.study import InputType
from edge_infer.flow.day_rows import RowMaker
from edge_infer.flow.screen import reading_mode
from edge_infer.model.findings import Finding
from edge_infer.model.model_card import ModelCard
from edge_infer.model.model_file import ModelFile
from edge_infer.store.day_store import StoredFile, connect_day, converted, read_outcomes
from edge_infer.store.outcome import FilmOutcome, ScoredFilm
from edge_infer.worklist.picture_spool import PictureSpool
from edge_infer.worklist.rows import Decision


@dataclass(frozen=True, kw_only=True)
class ScoredRow:
    """A film that the network scored, and what the list says of it."""

    path: Path
    sha256: str
    finding: Finding
    decision: Decision
    cam: NDArray[np.float32] | None = field(repr=False)
    heat_class: str
    checked_at: float
    """When it was screened, in seconds of `time.time`."""


def read_scored_rows(
    folder: Path,
    model: ModelFile,
    card: ModelCard,
    *,
    full_decode: bool = False,
    has_gate: bool = True,
    without: Collection[str] = (),
) -> list[ScoredRow]:
    """Return the DICOM films of the day in `folder` that have a decision, each content once.

    `card` is the model's, or has a site's thresholds; contents whose SHA-256 is in `without` are
    left out. Raises ReportError where the day is damaged.
    """
    mode = reading_mode(model, full_decode=full_decode, has_gate=has_gate)
    with converted(folder), closing(connect_day(folder)) as connection:
        connection.execute("BEGIN")  # one state of the day, whatever its owner does meanwhile
        films = {
            file.sha256: (file, outcome)
            for file, outcome in read_outcomes(connection, mode, include_patient=False)
            if _is_scored_dicom(outcome) and file.sha256 not in without
        }
        connection.execute("COMMIT")
    with PictureSpool(folder) as pictures:
        maker = RowMaker(card, pictures)
        return [
            one
            for file, outcome in films.values()
            if (one := _to_scored(maker, file, outcome)) is not None
        ]


def _is_scored_dicom(outcome: FilmOutcome | None) -> bool:
    return isinstance(outcome, ScoredFilm) and outcome.study.input_type is InputType.DICOM


def _to_scored(maker: RowMaker, file: StoredFile, outcome: FilmOutcome | None) -> ScoredRow | None:
    names = {file.found.place: ""}
    ((_, row),) = maker.make([(file, outcome)], names, with_waiting=False)
    if row.finding is None or row.decision is None or file.sha256 is None:
        return None
    assert isinstance(outcome, ScoredFilm) and file.checked_at is not None, "it has a score"
    return ScoredRow(
        path=file.found.path,
        sha256=file.sha256,
        finding=row.finding,
        decision=row.decision,
        cam=outcome.cam,
        heat_class=row.heat_class,
        checked_at=file.checked_at,
    )
