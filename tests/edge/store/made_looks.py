"""Looks at files made by hand: what a worker and the network would have said of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge_infer.films.find import FoundFilm, FoundFilms, GivenInput
from edge_infer.films.look import Look
from edge_infer.films.study import Identity, InputType, StudyInfo
from edge_infer.store.outcome import FilmOutcome, ReadingMode, ScoredFilm
from tests.edge.made_day import JPEG

MODE = ReadingMode(model_sha256="ab" * 32, preprocessing=1, decode_mode="full")
PACKAGE = "9.8.7"
NOON = 1_795_000_000.0
"""Some time in seconds of `time.time`."""


def scored(*logits: float, identity: Identity | None = None, cam: float | None = 0.1) -> ScoredFilm:
    """Return a film with these logits, [3, 1, 0, -1] where none are given."""
    return ScoredFilm(
        logits=np.array(logits or (3.0, 1.0, 0.0, -1.0), np.float32),
        cam=None if cam is None else np.full((4, 2, 3), cam, np.float32),
        thumbnail=JPEG,
        study=StudyInfo(
            input_type=InputType.DICOM,
            modality="DX",
            study_instance_uid="1.2.3",
            age_years=41.5,
            identity=identity or Identity(),
        ),
    )


def see(*tails: str, folder: str = "day", is_file: bool = False) -> FoundFilms:
    """Return files of one input that need not exist."""
    place = f"/clinic/{folder}"
    given = GivenInput(place=place.encode(), name=folder, is_file=is_file)
    films = tuple(
        FoundFilm(place=f"{place}/{tail}".encode(), path=Path(place, tail), given=given, tail=tail)
        for tail in tails
    )
    return FoundFilms(inputs=(given,), films=films)


def look(
    file: FoundFilm,
    outcome: FilmOutcome | None,
    *,
    content: str | None = "",
    state: Sequence[int] = (1, 1),
    at: float = NOON,
) -> Look[ScoredFilm]:
    """Return a look that found `outcome`; content is the place's own unless named, None if none."""
    text = file.place if content == "" else (content or "").encode()
    return Look(
        place=file.place,
        size=state[0],
        mtime_ns=state[1],
        sha256=None if content is None else hashlib.sha256(text).hexdigest(),
        at=at,
        outcome=outcome,
    )


def keyed(path: Path, outcome: FilmOutcome) -> Look[ScoredFilm]:
    """Return what a worker and the network would say of an existing file."""
    status = path.stat()
    return Look(
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        outcome=outcome,
    )
