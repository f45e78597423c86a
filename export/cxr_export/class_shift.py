"""Class biases fitted on what the INT8 model says of validation films, written into its head.

Training draws classes in other shares than the data has and follows teachers; what is left of that
in the logits is put right here, after quantization, so that no rounding comes between.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import numpy_helper

from cxr_export.errors import ParityError
from cxr_train.figures.temperature import fit_class_shift


def shift_classes(
    model: Path, logits: NDArray[np.float32], labels: ArrayLike
) -> NDArray[np.float64]:
    """Fit class biases on logits [N, K] and labels [N], add them to `model`'s own; return them [4].

    A referral logit after the classes stays as it is. ParityError where the head has no bias.
    """
    shift = fit_class_shift(logits, labels)
    graph = onnx.load(model)
    casts = [node for node in graph.graph.node if list(node.output) == ["head_bias"]]
    name = casts[0].input[0] if casts else ""
    found = [one for one in graph.graph.initializer if one.name == name]
    if not found:
        raise ParityError("The head of the exported model has no bias to shift.")
    bias = numpy_helper.to_array(found[0]).copy()
    bias[: len(shift)] += shift.astype(bias.dtype)
    found[0].CopyFrom(numpy_helper.from_array(bias, name))
    onnx.save(graph, model)
    return shift
