"""One brightness and contrast for every film, before the network looks at it.

Hospitals differ in how bright and how hard their films are printed far more than lungs do: the
middle of Shenzhen's films has a mean grey of 171, of Sakha-TB's 118. A network that sees this
learns the hospital with it, and its scores move with the brightness of a hospital it never saw.
Inside the network, so that training, evaluation and every exported file do the same.
"""

from __future__ import annotations

from torch import Tensor

MIDDLE_MEAN, MIDDLE_DEVIATION = 136.0, 64.0
"""Grey of a standardized film's middle: the mean over sources of adults' normal training films."""
LEAST_DEVIATION = 16.0
"""A film of less contrast than this is not made four times harder than it is."""


def standardize(image: Tensor) -> Tensor:
    """Give the middle of films float [N, 1, S, S] one mean and one standard deviation of grey.

    The middle is 4/7 of each side: what lies there is chest, whatever borders a film has. Whole
    grey levels come out. Sums of whole levels are exact in double and every other operation is a
    rounding of IEEE 754, so that all processors agree.
    """
    side = image.shape[-1]
    left = left_of_middle(side)
    middle = image[:, :, left : side - left, left : side - left].double()
    count = (side - 2 * left) ** 2
    mean = middle.sum(dim=(2, 3), keepdim=True) / count
    variance = middle.square().sum(dim=(2, 3), keepdim=True) / count - mean * mean
    gain = MIDDLE_DEVIATION / variance.clamp(min=LEAST_DEVIATION**2).sqrt()
    offset = MIDDLE_MEAN - mean * gain
    return (image * gain.float() + offset.float()).round().clamp(0, 255)


def left_of_middle(side: int) -> int:
    """Return how many pixels of a film lie beside its middle, at each border."""
    return side * 3 // 14
