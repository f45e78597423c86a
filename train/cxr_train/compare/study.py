"""What the study that this grew out of measured, on its own test films."""

from __future__ import annotations

from cxr_train.config import Augment

STUDY_F1: dict[tuple[str, Augment], float] = {
    ("cnn5", Augment.NONE): 0.755,
    ("resnet18", Augment.NONE): 0.354,
    ("resnet18", Augment.STANDARD): 0.790,
}
"""F1 by architecture and augmentation; its standard augmentation is ours."""
STUDY_ACCURACY: dict[tuple[str, Augment], float] = {
    ("cnn5", Augment.NONE): 0.73,
    ("resnet18", Augment.NONE): 0.52,
    ("resnet18", Augment.STANDARD): 0.80,
}
