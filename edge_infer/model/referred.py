"""Which films a threshold refers, for a second test or to a doctor: the rule, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@overload
def is_referred(tenths: int, by_class: bool, threshold_tenths: int) -> bool: ...
@overload
def is_referred(
    tenths: NDArray[np.int64], by_class: NDArray[np.bool_], threshold_tenths: int
) -> NDArray[np.bool_]: ...
def is_referred(tenths: Any, by_class: Any, threshold_tenths: int) -> Any:
    """Tell whether a film is referred: its printed score reaches the threshold, or `by_class`.

    `by_class`: its likeliest class is tuberculosis (for the TB score), or another than normal (for
    the abnormal score). Of one film, or of arrays [N]. The worklist decides by it; calibration, the
    figures of training and the gates of the export count by it.
    """
    return (tenths >= threshold_tenths) | by_class
