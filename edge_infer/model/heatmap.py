"""Where in the film a score comes from, drawn over the thumbnail; no second pass.

The logit of a class, and the referral logit of a network that has one, is the mean of its class
activation map plus a bias, so the map says exactly how much each of its places adds: 7 x 7 of
them, or 14 x 14 of a model with a lung head, whose referral map is 0 but for the strongest. It says
nothing about what is there: a network that looks at a marker or a border shows that too, which is
what the picture is for.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_infer.model.findings import Finding
from edge_infer.model.model_card import CLASSES, REFERRAL, Referral

MAPS: Final = (*CLASSES, REFERRAL)
"""What maps there are, in order of the network's outputs; not every network has the last."""
_WEAK: Final = np.array((60, 190, 255), np.float32)
_STRONG: Final = np.array((30, 40, 225), np.float32)
"""Amber and red, in OpenCV's order blue, green, red: told apart by brightness alone too."""
_MOST_OPAQUE = 0.62
"""The anatomy stays visible below the strongest colour."""
_JPEG_QUALITY = 80


def heat_class(finding: Finding, *, is_referred: bool, referral: Referral | None = None) -> str:
    """Name the map that is shown, one of MAPS.

    For a film that is referred the one that the card's `referral` names, without that tuberculosis;
    otherwise the likeliest class but normal (of equal ones the first in CLASSES): a map of `normal`
    would mark what is unremarkable.
    """
    if is_referred:
        return referral.map if referral is not None else "tuberculosis"
    units = dict(zip(CLASSES, finding.units, strict=True))
    del units["normal"]
    return max(units, key=lambda name: units[name])


def spread_heat(cam: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """Return [h, w], 0..1: where the map of this name is positive, over its largest place.

    `cam` is [K, h, w] in order of MAPS. All zero where no place adds to the score.
    """
    positive = np.maximum(cam[MAPS.index(name)], 0)
    largest = float(positive.max())
    if not np.isfinite(largest) or largest <= 0:
        return np.zeros(positive.shape, np.float32)
    return np.asarray(positive / largest, dtype=np.float32)


def enlarge_heat(heat: NDArray[np.float32], times: int) -> NDArray[np.uint8]:
    """Return [h * times, w * times], 0..255: the places of `spread_heat` joined by a smooth curve.

    Catmull and Rom's, through the middle of each place; without OpenCV.
    """
    down, across = (_curve(side, times) for side in heat.shape)
    return np.clip(np.rint(255 * (down @ heat @ across.T)), 0, 255).astype(np.uint8)


def _curve(places: int, times: int) -> NDArray[np.float32]:
    """Return [places * times, places]: how much of each place every point has."""
    points = (np.arange(places * times) + 0.5) / times - 0.5
    first = np.floor(points).astype(int)
    at = points - first
    weights = (
        ((2 - at) * at - 1) * at / 2,
        ((3 * at - 5) * at * at + 2) / 2,
        ((4 - 3 * at) * at + 1) * at / 2,
        (at - 1) * at * at / 2,
    )
    curve = np.zeros((points.size, places), np.float32)
    for step, weight in enumerate(weights, start=-1):
        # Beyond the border the last place goes on.
        np.add.at(curve, (np.arange(points.size), np.clip(first + step, 0, places - 1)), weight)
    return curve


def draw_heat(thumbnail: bytes, cam: NDArray[np.float32], name: str) -> bytes:
    """Return the thumbnail with the map of one output over it, as JPEG of the same size.

    `thumbnail` is a JPEG of the whole film, `cam` [K, h, w] covers the whole film too, whatever the
    proportions. Colours are relative to the film's own strongest place. Empty where there is no
    thumbnail, or where no place of the film adds to the score.
    """
    heat = spread_heat(cam, name)
    if not thumbnail or not heat.any():
        return b""
    import cv2

    grey = cv2.imdecode(np.frombuffer(thumbnail, np.uint8), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        return b""
    picture = blend_heat(np.asarray(grey, dtype=np.uint8), heat)
    encoded, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert encoded, "JPEG encoding of a small picture cannot fail"
    return jpeg.tobytes()


def blend_heat(grey: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return [H, W, 3] blue, green, red: `grey` [H, W] with `heat` [h, w], 0..1, over it."""
    import cv2

    # Cubic: linear shows the 7 x 7 places as diamonds. In 8 bits, where overshoot is cut by itself
    # and enlarging takes 0.01 ms instead of 0.07.
    places = np.rint(heat * 255).astype(np.uint8)
    strength = cv2.resize(places, grey.shape[::-1], interpolation=cv2.INTER_CUBIC)
    # Two small tables and whole-picture arithmetic: 0.03 ms in a loop, 0.08 between films. One
    # table of every strength and grey takes 0.03 and 0.19: films leave no cache warm.
    kept, added = _blends()
    dimmed = cv2.multiply(grey, cv2.LUT(strength, kept), scale=1 / 255)
    colours = cv2.applyColorMap(strength, added)
    picture = cv2.add(cv2.cvtColor(dimmed, cv2.COLOR_GRAY2BGR), colours)
    return np.asarray(picture, dtype=np.uint8)


@cache
def _blends() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return by strength, 0..255: how much of the grey is kept [256], and what colour is added.

    The colours are [256, 1, 3] blue, green, red. A picture is within 1.5 of 255 of one blended
    in float.
    """
    share = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    opacity = _MOST_OPAQUE * share
    colour = _WEAK + (_STRONG - _WEAK) * share
    kept = (255 * (1 - opacity[:, 0])).round().astype(np.uint8)
    added = (colour * opacity).round().astype(np.uint8)
    return kept, added[:, None]
