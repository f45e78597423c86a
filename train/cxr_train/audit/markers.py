"""Find patches in the picture that give a class away: letters, boxes, frames, collimation.

They leave what no lung has: pure white, pure black, one grey without grain, or a straight edge of
pure white. For each place, kind and class a hypergeometric test asks whether films with the patch
hold more of the class than chance would put there, Bonferroni over all tests; once over all films
and once inside each source, where nothing but the patch may tell the class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from cxr_train.data.manifest import Example
from edge_infer.model.model_card import CLASSES

CELLS = 16
"""The picture is looked at in 16 x 16 cells, of 8 x 8 pixels at 128."""
LARGEST_P = 0.01
"""After correction for all tests."""
LEAST_GAIN, LEAST_RECALL = 0.5, 0.02
"""A patch must take away half of the doubt about the class, in a film of fifty of the class."""
_WHITE_FROM, _WHITE_SHARE = 252, 0.25
_BLACK_TO, _BLACK_SHARE = 3, 0.95
_BLANK_RANGE = 2
_EDGE_LENGTH, _EDGE_DEPTH, _EDGE_DARK = 8, 3, 200
"""Measured: 69 % of the TB films of one public set have such an edge, 11 % of its normals."""
_EXAMPLES = 6

Flags = NDArray[np.bool_]


class Patch(StrEnum):
    """What is looked for."""

    WHITE = "white"
    """A quarter of the cell or more is pure white: a box, a letter, an arrow."""
    BLACK = "black"
    """All of the cell is pure black: collimation, padding, a black box."""
    BLANK = "blank"
    """The cell is one grey between the two, without grain."""
    EDGE = "edge"
    """Anywhere in the film 8 pixels of straight edge of pure white: a pasted box or a frame."""


@dataclass(frozen=True, kw_only=True)
class SourceShare:
    """How often one source's films have a marker."""

    source: str
    of_class: float | None
    """Share of its films of the marker's class; None: it has none of that class."""
    of_others: float | None
    """Share of its other films; None: it has no others."""
    films: int
    """Films of this source that have it."""


@dataclass(frozen=True, kw_only=True)
class Marker:
    """Connected cells whose patches speak for one class."""

    patch: Patch
    class_name: str
    within: str | None
    """The source inside which it was found; None: found over all films."""
    box: tuple[int, int, int, int]
    """Top, left, bottom, right in cells of 16, the last two exclusive."""
    films: int
    """Films with the patch in any of its cells."""
    precision: float
    """Share of the class among them."""
    recall: float
    """Share of the class's films that have it."""
    base_rate: float
    """Share of the class among all films looked at."""
    p_value: float
    """Of the cell that tells most, after correction."""
    sources: tuple[SourceShare, ...]
    """Sources of films that have it, most films first."""
    examples: tuple[int, ...]
    """Indices of a few films that have it."""

    @property
    def scope(self) -> str:
        """Among which films it was found, in words."""
        if self.within is None:
            return "over all films"
        return f"within {self.within or 'films of unknown source'}"


def find_markers(examples: Sequence[Example], pixels: NDArray[np.uint8]) -> tuple[Marker, ...]:
    """Return the markers in these films: over all first, those in most films first.

    `pixels` [N, 1, 128, 128] from preprocessing. One film of each group and class is tested, so
    that a patient with twenty films is one witness; the figures given count all films.
    """
    sources = [example.source for example in examples]
    names = sorted(set(sources))
    scopes: list[str | None] = [None, *names] if len(names) > 1 else [None]
    patches = _patches(pixels)
    tests = (3 * CELLS * CELLS + 1) * len(CLASSES) * len(scopes)
    markers: list[Marker] = []
    for scope in scopes:
        chosen = np.flatnonzero([scope in (None, source) for source in sources])
        for patch, flags in patches.items():
            markers += _find_in(examples, chosen, flags, patch, scope, tests)
    return tuple(
        sorted(markers, key=lambda m: (m.within is not None, m.within or "", -m.films, m.box))
    )


def _find_in(
    examples: Sequence[Example],
    chosen: NDArray[np.intp],
    flags: Flags,
    patch: Patch,
    scope: str | None,
    tests: int,
) -> Iterator[Marker]:
    """Yield the markers of one kind among the `chosen` films."""
    labels = np.array([examples[film].label for film in chosen], dtype=np.int64)
    witnesses = _one_per_group([examples[film] for film in chosen])
    own = flags[chosen]
    present = sorted(set(labels.tolist()))
    for label in present if len(present) > 1 else ():
        is_class = np.asarray(labels == label)
        p_values = np.minimum(1.0, tests * _test_cells(own[witnesses], is_class[witnesses]))
        for region in _regions((p_values < LARGEST_P) & _is_worth_it(own, is_class)):
            has = np.asarray(own[:, region].any(axis=1))
            yield Marker(
                patch=patch,
                class_name=CLASSES[label],
                within=scope,
                box=_box_of(region),
                films=int(has.sum()),
                precision=float(is_class[has].mean()),
                recall=float(has[is_class].mean()),
                base_rate=float(is_class.mean()),
                p_value=float(p_values[region].min()),
                sources=_shares([examples[film].source for film in chosen], has, is_class),
                examples=tuple(int(i) for i in chosen[has & is_class][:_EXAMPLES]),
            )


def _patches(pixels: NDArray[np.uint8]) -> dict[Patch, Flags]:
    """Return where each kind of patch is: [N, 16, 16] cells, for edges [N, 1, 1]."""
    n, _, height, width = pixels.shape
    shape = (n, CELLS, height // CELLS, CELLS, width // CELLS)
    cells = pixels.reshape(shape).transpose(0, 1, 3, 2, 4).reshape(n, CELLS, CELLS, -1)
    low, high = cells.min(axis=3), cells.max(axis=3)
    grey = (low > _BLACK_TO) & (high < _WHITE_FROM)
    return {
        Patch.WHITE: (cells >= _WHITE_FROM).mean(axis=3) >= _WHITE_SHARE,
        Patch.BLACK: (cells <= _BLACK_TO).mean(axis=3) >= _BLACK_SHARE,
        Patch.BLANK: grey & (high - low <= _BLANK_RANGE),
        Patch.EDGE: np.array([_has_edge(film[0]) for film in pixels])[:, None, None],
    }


def _has_edge(film: NDArray[np.uint8]) -> bool:
    """Say whether a straight edge of pure white lies in a film [h, w], from any of four sides."""
    for turn in range(4):
        turned = np.rot90(film, turn)
        white, dark = turned >= _WHITE_FROM, turned < _EDGE_DARK
        # Rows 0..2 white, row 4 dark; row 3 is the mixture that shrinking leaves at an edge.
        edge = dark[_EDGE_DEPTH + 1 :].copy()
        for row in range(_EDGE_DEPTH):
            edge &= white[row : row + len(edge)]
        long = edge[:, : 1 - _EDGE_LENGTH].copy()
        for place in range(1, _EDGE_LENGTH):
            long &= edge[:, place : place + long.shape[1]]
        if long.any():
            return True
    return False


def _one_per_group(examples: Sequence[Example]) -> NDArray[np.intp]:
    firsts: dict[tuple[str, int], int] = {}
    for index, example in enumerate(examples):
        firsts.setdefault((example.group, example.label), index)
    return np.array(sorted(firsts.values()), dtype=np.intp)


def _test_cells(flags: Flags, is_class: Flags) -> NDArray[np.float64]:
    """Return the chance, per cell, of so many films of the class among those flagged."""
    from scipy.stats import hypergeom

    flagged = flags.sum(axis=0)
    of_class = flags[is_class].sum(axis=0)
    chance = hypergeom.sf(of_class - 1, len(flags), int(is_class.sum()), flagged)
    return np.asarray(chance, dtype=np.float64)


def _is_worth_it(flags: Flags, is_class: Flags) -> Flags:
    """Say which cells tell much of the class, in films enough to matter."""
    of_class = flags[is_class].sum(axis=0)
    precision = of_class / np.maximum(1, flags.sum(axis=0))
    recall = of_class / is_class.sum()
    base = is_class.mean()
    return np.asarray((precision - base >= LEAST_GAIN * (1 - base)) & (recall >= LEAST_RECALL))


def _regions(telling: Flags) -> list[Flags]:
    """Split cells into connected regions, corners included."""
    from scipy.ndimage import label

    numbers, count = label(telling, structure=np.ones((3, 3), dtype=int))
    return [numbers == number for number in range(1, count + 1)]


def _box_of(region: Flags) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    unit = CELLS // len(region)
    ends = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
    top, left, bottom, right = (int(end) * unit for end in ends)
    return top, left, bottom, right


def _shares(films_source: Sequence[str], has: Flags, is_class: Flags) -> tuple[SourceShare, ...]:
    sources = np.array(films_source)
    shares = []
    for source in sorted(set(sources[has].tolist())):
        inside = sources == source
        own, others = has[inside & is_class], has[inside & ~is_class]
        shares.append(
            SourceShare(
                source=source,
                of_class=float(own.mean()) if own.size else None,
                of_others=float(others.mean()) if others.size else None,
                films=int(has[inside].sum()),
            )
        )
    return tuple(sorted(shares, key=lambda share: (-share.films, share.source)))
