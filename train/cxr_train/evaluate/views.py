"""Films without their lungs: what a model still tells from them is not disease."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

FILL = 138
"""Mean grey of training films (`cxr_train.fit.network.GREY_MEAN`): a cover must be no new cue."""
FRAME = 0.125
"""Share of each side that border-only films keep, on every edge."""
# Generous rounded boxes over both lung fields of a frontal film, as shares of the picture: (centre
# row, centre column, half height, half width). What stays is the frame, shoulders, mediastinum,
# abdomen and text.
_LUNGS = ((0.5, 0.285, 0.4, 0.21), (0.5, 0.715, 0.4, 0.21))

Images = NDArray[np.uint8]


class View(StrEnum):
    """What of a film a model is shown."""

    WHOLE = "whole film"
    BORDER_ONLY = "border only"
    LUNGS_MASKED = "lungs masked out"


def show(images: Images, view: View) -> Images:
    """Return films [N, 1, H, W] with what `view` hides painted in one middle grey."""
    if view is View.WHOLE:
        return images
    hidden = hidden_part(view, images.shape[2], images.shape[3])
    covered = np.array(images)
    covered[:, :, hidden] = FILL
    return covered


def hidden_part(view: View, height: int, width: int) -> NDArray[np.bool_]:
    """Say which pixels [height, width] `view` hides."""
    rows = (np.arange(height)[:, None] + 0.5) / height
    columns = (np.arange(width)[None] + 0.5) / width
    hidden = np.zeros((height, width), dtype=np.bool_)
    if view is View.BORDER_ONLY:
        inner_rows = (rows > FRAME) & (rows < 1 - FRAME)
        hidden |= inner_rows & (columns > FRAME) & (columns < 1 - FRAME)
    elif view is View.LUNGS_MASKED:
        for row, column, tall, wide in _LUNGS:
            away = np.abs((rows - row) / tall) ** 3 + np.abs((columns - column) / wide) ** 3
            hidden |= away <= 1
    return hidden
