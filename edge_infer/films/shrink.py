"""How much smaller a decoder may make a film before its area means are taken."""

from __future__ import annotations

MARGIN = 2
"""What remains is at least this many times the network's input: its area mean then still averages
whole pixels, and a film's own sharpness is not what decides."""


def shrink_factor(shape: tuple[int, ...], size: tuple[int, int] | None) -> int:
    """Return the whole number by which both sides can shrink; 1 leaves the film as it is.

    The shorter side stays at least twice the longer of `size`; None asks for the whole film.
    """
    return 1 if size is None else max(1, min(shape[:2]) // (MARGIN * max(size)))


def scaled_shape(shape: tuple[int, int], scale: int) -> tuple[int, int]:
    """Return rows and columns after reduction: what the decoders of JPEG and JPEG 2000 give."""
    return -(-shape[0] // scale), -(-shape[1] // scale)
