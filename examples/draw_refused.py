"""Draw two pictures that a program for frontal chest films must not score: a lateral and a hand.

Only shapes, nobody's picture. Points stand in a frame 1 wide and 1 high, origin at the top left.
"""

from __future__ import annotations

import cv2
import numpy as np
from draw_phantom import Picture, Points, smooth_curve, soften

BODY: Points = [
    (0.34, -0.1), (0.36, 0.03), (0.28, 0.12), (0.2, 0.24), (0.15, 0.42), (0.14, 0.62), (0.16, 0.82),
    (0.17, 1.1), (0.86, 1.1), (0.84, 0.86), (0.87, 0.66), (0.88, 0.46), (0.84, 0.28), (0.77, 0.14),
    (0.64, 0.05), (0.62, -0.1),
]  # fmt: skip
LUNGS: Points = [
    (0.5, 0.16), (0.4, 0.19), (0.31, 0.3), (0.255, 0.45), (0.25, 0.6), (0.28, 0.7), (0.4, 0.69),
    (0.52, 0.71), (0.63, 0.78), (0.71, 0.87), (0.745, 0.84), (0.77, 0.68), (0.775, 0.5),
    (0.745, 0.34), (0.68, 0.22), (0.6, 0.16),
]  # fmt: skip
HEART: Points = [
    (0.42, 0.42), (0.33, 0.5), (0.3, 0.6), (0.33, 0.7), (0.45, 0.72), (0.55, 0.7), (0.57, 0.6),
    (0.54, 0.48), (0.48, 0.42),
]  # fmt: skip
SPINE: Points = [
    (0.59, -0.05), (0.63, 0.1), (0.705, 0.25), (0.755, 0.42), (0.765, 0.6), (0.735, 0.8),
    (0.68, 1.05),
]  # fmt: skip
FINGERS: tuple[tuple[tuple[float, float], float, tuple[float, ...]], ...] = (
    ((0.375, 0.64), -0.86, (0.16, 0.14, 0.1)),
    ((0.415, 0.6), -0.22, (0.21, 0.16, 0.1, 0.065)),
    ((0.485, 0.59), -0.03, (0.21, 0.18, 0.115, 0.07)),
    ((0.55, 0.6), 0.15, (0.19, 0.165, 0.105, 0.07)),
    ((0.61, 0.63), 0.36, (0.17, 0.13, 0.08, 0.06)),
)
"""Where a ray of bones begins, its angle from upright in radians, the lengths of its bones."""


def draw_lateral(rng: np.random.Generator, *, side: int) -> Picture:
    """Return [side, side] float32, 0..1: a trunk seen from its side, front on the left."""
    lungs = _fill(LUNGS, side, 0.012)
    picture = 0.66 * _fill(BODY, side, 0.008)
    picture += 0.12 * soften(_fill(BODY, side, 0.01), 0.06 * side)
    picture -= 0.38 * lungs
    picture += 0.2 * _fill(HEART, side, 0.02) * lungs
    picture -= 0.08 * _fill([(0.4, 0.24), (0.33, 0.34), (0.35, 0.42), (0.44, 0.4)], side, 0.02)
    picture -= 0.1 * _line([(0.5, 0.02), (0.53, 0.2), (0.55, 0.38)], side, 0.035, 0.008)
    spine = smooth_curve(SPINE, closed=False)
    picture += 0.1 * _line(SPINE, side, 0.075, 0.008)
    for at in np.linspace(6, len(spine) - 7, 15).astype(int):  # the discs
        (x, y), ahead = spine[at], spine[at + 1] - spine[at - 1]
        across = 0.036 * np.array((-ahead[1], ahead[0])) / np.hypot(*ahead)
        ends = [(x - across[0], y - across[1]), (x + across[0], y + across[1])]
        picture -= 0.07 * _line(ends, side, 0.01, 0.004)
    picture += 0.09 * _line([(0.285, 0.2), (0.215, 0.36), (0.2, 0.52)], side, 0.022, 0.004)
    for number in range(8):
        top = 0.2 + 0.068 * number
        rib: Points = [(0.73, top), (0.6, top + 0.05), (0.42, top + 0.14), (0.27, top + 0.16)]
        picture += _tube(rib, side, 0.018, 0.02)
    return _expose(picture, rng)


def draw_hand(rng: np.random.Generator, *, side: int) -> Picture:
    """Return [side, side] float32, 0..1: a hand from the back, fingers up."""
    flesh = _fill(
        [(0.31, 0.58), (0.37, 0.42), (0.62, 0.42), (0.68, 0.62), (0.6, 0.82), (0.585, 1.1),
         (0.41, 1.1), (0.4, 0.84)], side, 0.006,
    )  # fmt: skip
    bones = _tube([(0.45, 0.81), (0.445, 1.05)], side, 0.07, 0.4)
    bones += _tube([(0.545, 0.8), (0.555, 1.05)], side, 0.05, 0.36)
    for row, (top, places) in enumerate(
        ((0.655, (0.405, 0.465, 0.525, 0.58)), (0.72, (0.44, 0.5, 0.555)))
    ):
        for x in places:
            spot = [(x + 0.03 * np.cos(a + row), top + 0.032 * np.sin(a + row)) for a in range(6)]
            bones += 0.3 * _fill(spot, side, 0.006)
    for (x, y), angle, lengths in FINGERS:
        wide = 0.042
        for length in lengths:
            end = (x + length * np.sin(angle), y - length * np.cos(angle))
            gap = np.array((np.sin(angle), -np.cos(angle))) * 0.02
            inner = [(x + gap[0], y + gap[1]), (end[0] - gap[0] / 3, end[1] - gap[1] / 3)]
            flesh = np.maximum(flesh, _line([(x, y), end], side, 2.1 * wide, 0.006))
            bones += _tube(inner, side, wide, 0.36)
            bones += 0.12 * _line([inner[0], inner[0]], side, 1.25 * wide, 0.006)
            x, y, wide = *end, wide * 0.84
    return _expose(0.34 * flesh + bones * flesh, rng)


def _fill(points: Points, side: int, softness: float) -> Picture:
    blank = np.zeros((side, side), np.uint8)
    pixels = np.round(smooth_curve(points, closed=True) * side * 16).astype(np.int32)
    cv2.fillPoly(blank, [pixels], 255, cv2.LINE_AA, 4)
    return soften(blank.astype(np.float32) / 255, softness * side)


def _line(points: Points, side: int, thickness: float, softness: float) -> Picture:
    blank = np.zeros((side, side), np.uint8)
    pixels = np.round(smooth_curve(points, closed=False) * side * 16).astype(np.int32)
    wide = max(1, round(thickness * side))
    cv2.polylines(blank, [pixels], False, 255, wide, cv2.LINE_AA, 4)
    return soften(blank.astype(np.float32) / 255, softness * side)


def _tube(points: Points, side: int, thickness: float, strength: float) -> Picture:
    """A bone: its rims are denser than its middle."""
    tube = _line(points, side, thickness, 0.002)
    marrow = _line(points, side, 0.55 * thickness, 0.004)
    return np.asarray(strength * (tube - 0.4 * marrow), np.float32)


def _expose(picture: Picture, rng: np.random.Generator) -> Picture:
    grain = soften(rng.standard_normal(picture.shape).astype(np.float32), 0.7)
    film = 0.03 + 0.95 * picture / max(1.0, float(picture.max())) + 0.01 * grain / grain.std()
    return np.clip(film, 0, 1).astype(np.float32)
