"""Can the class be told without looking at the lungs? File, global numbers, border, source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from cxr_train.audit.films import GLOBAL_NUMBERS, PROPERTIES, FilmFacts
from cxr_train.data.manifest import Example
from cxr_train.figures.metrics import accuracy, group_bootstrap, macro_f1
from cxr_train.terminal import Progress
from edge_infer.model.model_card import CLASSES, Interval

FOLDS = 5
RESAMPLES = 400
CLEAR_GAIN = 0.05
"""Accuracy above the commonest class's share that is worth a finding, besides the interval."""
_TREES = 60
_CELLS, _FRAME = 16, 2
"""The border is the outer 2 of 16 cells on each side: 12.5 % of the picture's width."""

Table = NDArray[np.float32]


class Cue(StrEnum):
    """What a shortcut classifier is given."""

    FILE_PROPERTIES = "file_properties"
    GLOBAL_NUMBERS = "global_numbers"
    BORDER = "border"


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """How well a random forest names the class from a cue, on groups it was not fitted to."""

    cue: Cue
    accuracy: Interval
    macro_f1: float
    majority: float
    """Accuracy of always naming the commonest class."""
    films: int
    groups: int
    folds: int
    telling: tuple[tuple[str, float], ...]
    """Features (for the border: sides) with the accuracy lost when one is shuffled, worst first."""

    @property
    def is_clear(self) -> bool:
        """The cue tells the class beyond chance."""
        above = self.accuracy.value - self.majority
        return self.accuracy.low > self.majority and above >= CLEAR_GAIN


@dataclass(frozen=True, kw_only=True)
class SourceCounts:
    """The films of one source."""

    source: str
    films: int
    per_class: tuple[int, ...]
    """Films in order of CLASSES."""
    square: float
    """Share of files exactly as wide as high."""
    squashed: float | None
    """Share the manifest calls squashed; None when it does not say."""

    @property
    def only_class(self) -> str | None:
        """The one class this source holds, or None."""
        held = [name for name, count in zip(CLASSES, self.per_class, strict=True) if count]
        return held[0] if len(held) == 1 else None


def measure_shortcuts(
    examples: Sequence[Example],
    facts: Sequence[FilmFacts],
    pixels: NDArray[np.uint8],
    *,
    progress: Progress | None = None,
) -> tuple[Shortcut, ...]:
    """Measure every cue on these films; `pixels` [N, 1, 128, 128] from preprocessing.

    Empty where the films hold one class only, or a class in fewer than two groups.
    """
    labels = np.array([example.label for example in examples], dtype=np.int64)
    groups = [example.group for example in examples]
    folds = _fold_count(labels, groups)
    if folds < 2:
        return ()
    properties = np.array([film.properties for film in facts], dtype=np.float32)
    numbers = np.array([film.global_numbers for film in facts], dtype=np.float32)
    border, sides = _border_table(pixels)
    each_property = {name: np.array([place]) for place, name in enumerate(PROPERTIES)}
    each_number = {name: np.array([place]) for place, name in enumerate(GLOBAL_NUMBERS)}
    cues = (
        (Cue.FILE_PROPERTIES, properties, each_property),
        (Cue.GLOBAL_NUMBERS, numbers, each_number),
        (Cue.BORDER, border, sides),
    )
    found = []
    for done, (cue, table, parts) in enumerate(cues):
        if progress:
            progress(done, len(cues))
        found.append(_measure(cue, table, parts, labels, groups))
    return tuple(found)


def describe_sources(
    examples: Sequence[Example], facts: Sequence[FilmFacts]
) -> tuple[SourceCounts, ...]:
    """Count classes, square files and squashed films of every source, largest source first."""
    found = []
    for source, films in Counter(example.source for example in examples).most_common():
        chosen = [i for i, example in enumerate(examples) if example.source == source]
        labels = Counter(examples[i].label for i in chosen)
        told = [examples[i].squashed for i in chosen]
        known = [float(squashed) for squashed in told if squashed is not None]
        found.append(
            SourceCounts(
                source=source,
                films=films,
                per_class=tuple(labels[index] for index in range(len(CLASSES))),
                square=float(np.mean([facts[i].is_square for i in chosen])),
                squashed=float(np.mean(known)) if known else None,
            )
        )
    return tuple(found)


def accuracy_by_source(sources: Sequence[SourceCounts]) -> float:
    """Return the accuracy of naming each source's commonest class; it sees no picture at all."""
    return sum(max(one.per_class) for one in sources) / sum(one.films for one in sources)


def _fold_count(labels: NDArray[np.int64], groups: Sequence[str]) -> int:
    """Return as many folds as the rarest class has groups, 5 at most; 0 for a single class."""
    pairs = set(zip(labels.tolist(), groups, strict=True))
    per_class = Counter(label for label, _ in pairs)
    return min(FOLDS, *per_class.values()) if len(per_class) > 1 else 0


def _measure(
    cue: Cue,
    table: Table,
    parts: dict[str, NDArray[np.intp]],
    labels: NDArray[np.int64],
    groups: Sequence[str],
) -> Shortcut:
    """Cross-validate one `table` [N, F]; `parts` names columns that are shuffled together."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedGroupKFold

    folds = _fold_count(labels, groups)
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=0)
    predictions = np.zeros_like(labels)
    lost = dict.fromkeys(parts, 0.0)
    random = np.random.default_rng(0)
    for fitted, held in splitter.split(table, labels, groups):
        forest = RandomForestClassifier(_TREES, min_samples_leaf=2, random_state=0, n_jobs=1)
        forest.fit(table[fitted], labels[fitted])
        predictions[held] = forest.predict(table[held])
        right = (predictions[held] == labels[held]).sum()
        for name, columns in parts.items():
            shuffled = table[held].copy()
            shuffled[:, columns] = shuffled[random.permutation(len(held))][:, columns]
            lost[name] += float(right - (forest.predict(shuffled) == labels[held]).sum())
    hits = predictions == labels
    estimate = group_bootstrap(lambda films: float(hits[films].mean()), groups, n=RESAMPLES)
    assert estimate is not None, "the accuracy of some films is always defined"
    telling = sorted(((name, loss / len(labels)) for name, loss in lost.items()), key=_by_loss)
    return Shortcut(
        cue=cue,
        accuracy=estimate,
        macro_f1=macro_f1(labels, predictions),
        majority=accuracy(labels, np.full_like(labels, np.bincount(labels).argmax())),
        films=len(labels),
        groups=len(set(groups)),
        folds=folds,
        telling=tuple(telling),
    )


def _by_loss(part: tuple[str, float]) -> tuple[float, str]:
    return -part[1], part[0]


def _border_table(pixels: NDArray[np.uint8]) -> tuple[Table, dict[str, NDArray[np.intp]]]:
    """Return the frame's cell means [N, 112] and which columns belong to which side."""
    n, _, height, width = pixels.shape
    blocks = pixels.reshape(n, _CELLS, height // _CELLS, _CELLS, width // _CELLS)
    cells = blocks.mean(axis=(2, 4), dtype=np.float32)
    row, column = np.mgrid[:_CELLS, :_CELLS]
    top, bottom = row < _FRAME, row >= _CELLS - _FRAME
    left, right = column < _FRAME, column >= _CELLS - _FRAME
    frame = top | bottom | left | right
    sides = {"top": top, "bottom": bottom, "left": left, "right": right}
    columns = {name: np.flatnonzero(side[frame]) for name, side in sides.items()}
    return cells[:, frame], columns
