"""Which pictures the gate learns from and is tried on, and how each is made again from its seed."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cxr_train.data.manifest import Example
from cxr_train.errors import DataError
from cxr_train.gate.wrong_films import (
    MAKERS,
    Grey,
    vary,
    vary_lateral,
    vary_other,
    whiten_lung,
)
from edge_infer.errors import ImageError
from edge_infer.films.read import read_radiograph
from edge_infer.model.gate import GateState
from edge_infer.model.model_card import CLASSES
from edge_infer.model.preprocess import shrink_grey, stretch_grey

_SHORTER_SIDE = 288
"""Pixels that larger pictures are reduced to before anything is done to them."""
LATERAL_KIND = "lateral_chest"
OTHERS = "others"
"""The split of pictures that are no chest films: they have none of their own."""


@dataclass(frozen=True, kw_only=True)
class GateConfig:
    """How many pictures of what the gate is trained on, and how its thresholds are chosen."""

    films_varied: int = 1
    """Varied copies of each training film, beside the film as it is."""
    films_whitened: int = 1200
    """Training films given an effusion; they stay sound."""
    wrong_films: int = 1200
    """Training films made wrong in each of the ways of `wrong_films.MAKERS`."""
    hard_wrong_films: int = 2000
    """The same for the ways that vary most: badly exposed, photographed."""
    others_varied: int = 7
    """Varied copies of each picture of something else, beside the picture as it is."""
    laterals_varied: int = 60
    """The same of each lateral chest film; there are few."""
    tried_films: int = 200
    """Films of a split made wrong in each way, to measure on."""
    planes: int = 24
    hidden: int = 48
    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    folds: int = 3
    """Parts of the other pictures; each part is judged by a gate that did not see it."""
    most_refused: float = 0.001
    """Share of sound validation films that may reach `refuse`."""
    most_doubtful: float = 0.005
    """Share of sound validation films that may reach `doubt`."""
    least_refuse: float = 90.0
    """Gate score, in points, below which nothing is refused: films of a hospital that nobody learnt
    from score higher than validation films do."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class OtherPicture:
    """A picture that a chest program must refuse."""

    path: Path
    name: str
    kind: str
    state: GateState
    fold: int


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture to make and look at."""

    path: Path
    made: str
    """What is done to it: `as it is`, `varied`, `whitened`, or a name of MAKERS."""
    state: GateState
    seed: int
    split: str
    """Of a film; `others` for other pictures."""
    kind: str
    """A film's source, or the kind of another picture."""
    fold: int = -1
    """Of another picture."""
    is_tuberculosis: bool = False
    """Of a film: one that is refused is named."""


def read_others(folder: Path, folds: int) -> tuple[OtherPicture, ...]:
    """Read a folder of pictures of other things: manifest.csv with path, kind and perhaps refuse.

    Rows whose `refuse` is not `yes` are left out. A folder of folders named by kind does without a
    manifest. DataError where there is neither.
    """
    manifest = folder / "manifest.csv"
    if manifest.is_file():
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        if rows and not {"path", "kind"} <= set(rows[0]):
            raise DataError(f"{manifest} needs the columns path and kind.")
        listed = [
            (row["path"], row["kind"]) for row in rows if row.get("refuse", "yes") in ("yes", "")
        ]
    elif folder.is_dir():
        listed = [
            (f"{kind.name}/{path.name}", kind.name)
            for kind in sorted(folder.iterdir())
            if kind.is_dir()
            for path in sorted(kind.iterdir())
        ]
    else:
        listed = []
    if not listed:
        raise DataError(
            f"No pictures of other things were found in {folder}: give a folder of folders named "
            "by kind (hand, mammogram, lateral_chest, ...), or a manifest.csv with path and kind."
        )
    order = np.random.default_rng(0).permutation(len(listed))
    return tuple(
        OtherPicture(
            path=folder / name,
            name=name,
            kind=kind,
            state=GateState.LATERAL if kind == LATERAL_KIND else GateState.NOT_CHEST,
            fold=int(place) % folds,
        )
        for (name, kind), place in zip(listed, order, strict=True)
    )


def training_pictures(
    films: Sequence[Example], others: Sequence[OtherPicture], config: GateConfig
) -> list[Picture]:
    """List what a gate is trained on: films as they are, varied and made wrong, other pictures."""
    rng = np.random.default_rng(config.seed)
    pictures = [_of_film(film, "as it is", GateState.FRONTAL, 0) for film in films]
    for film in films:
        for _ in range(config.films_varied):
            pictures.append(_of_film(film, "varied", GateState.FRONTAL, _seed(rng)))
    for film in _draw(films, config.films_whitened, rng):
        pictures.append(_of_film(film, "whitened", GateState.FRONTAL, _seed(rng)))
    for name, state, _ in MAKERS:
        is_hard = state in (GateState.BAD_EXPOSURE,) or name == "photographed"
        count = config.hard_wrong_films if is_hard else config.wrong_films
        for film in _draw(films, count, rng):
            pictures.append(_of_film(film, f"varied, {name}", state, _seed(rng)))
    for other in others:
        is_lateral = other.state is GateState.LATERAL
        pictures.append(_of_other(other, "as it is", 0))
        for _ in range(config.laterals_varied if is_lateral else config.others_varied):
            pictures.append(_of_other(other, "varied", _seed(rng)))
    return pictures


def tried_pictures(films: Sequence[Example], config: GateConfig) -> list[Picture]:
    """List what a gate is tried on: every film as it is, and some made wrong in each way."""
    rng = np.random.default_rng(config.seed + 1)
    pictures = [_of_film(film, "as it is", GateState.FRONTAL, 0) for film in films]
    for name, state, _ in MAKERS:
        for film in _draw(films, config.tried_films, rng):
            pictures.append(_of_film(film, name, state, _seed(rng)))
    return pictures


def make_picture(picture: Picture, side: int) -> NDArray[np.uint8]:
    """Read a picture, do to it what its entry says, and return the network's input [1, S, S].

    DataError where it cannot be read.
    """
    return stretch_grey(make_grey(picture, side))[None]


def make_grey(picture: Picture, side: int) -> NDArray[np.uint16]:
    """Return what becomes the input of a picture, [S, S]; a film as it is goes the clinic's way."""
    if picture.made == "as it is":
        return shrink_grey(_read_exactly(picture.path), height=side, width=side)
    rng = np.random.default_rng(picture.seed)
    made = _remake(_read_small(picture.path), picture, rng)
    return shrink_grey(made.astype(np.uint16) * np.uint16(257), height=side, width=side)


def _remake(film: Grey, picture: Picture, rng: Generator) -> Grey:
    if picture.made == "varied":
        if picture.state is GateState.FRONTAL:
            return vary(film, rng)
        return (vary_lateral if picture.state is GateState.LATERAL else vary_other)(film, rng)
    if picture.made == "whitened":
        film = whiten_lung(film, rng)
        return vary(film, rng) if rng.random() < 0.5 else film
    varied, _, name = picture.made.rpartition("varied, ")
    if varied and rng.random() < 0.5:
        film = vary(film, rng)
    return next(make for one, _, make in MAKERS if one == name)(film, rng)


def _read_exactly(path: Path) -> NDArray[np.uint16]:
    try:
        return read_radiograph(path, min_age_years=None).pixels
    except ImageError:
        # The reader refuses colour, for one; its grey must not pass the gate either.
        return _decode(path).astype(np.uint16) * np.uint16(257)


def _read_small(path: Path) -> Grey:
    film = (_read_exactly(path) >> 8).astype(np.uint8)
    share = _SHORTER_SIDE / min(film.shape)
    if share >= 1:
        return film
    height, width = film.shape
    size = round(width * share), round(height * share)
    return cv2.resize(film, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def _decode(path: Path) -> Grey:
    try:
        film = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE)
    except (OSError, cv2.error) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    if film is None:
        raise DataError(f"{path} is no picture that can be read.")
    return np.asarray(film, np.uint8)


def _of_film(film: Example, made: str, state: GateState, seed: int) -> Picture:
    return Picture(
        path=film.path,
        made=made,
        state=state,
        seed=seed,
        split=film.split,
        kind=film.source,
        is_tuberculosis=CLASSES[film.label] == "tuberculosis",
    )


def _of_other(other: OtherPicture, made: str, seed: int) -> Picture:
    return Picture(
        path=other.path,
        made=made,
        state=other.state,
        seed=seed,
        split=OTHERS,
        kind=other.kind,
        fold=other.fold,
    )


def _draw(films: Sequence[Example], count: int, rng: Generator) -> list[Example]:
    """Draw films: each at most once until all have had their turn."""
    order = [rng.permutation(len(films)) for _ in range(-(-count // len(films)))]
    return [films[int(index)] for index in np.concatenate(order)[:count]]


def _seed(rng: Generator) -> int:
    return int(rng.integers(1 << 31))
