"""The quantized layers of an exported model, for small layers that are taught on top of them.

The network has been computed anyway and its integers are the same on every processor: what is
taught here sees just what the clinic's network sees, INT8 rounding included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx

from edge_infer.errors import ModelError
from edge_infer.model.runtime import UNWANTED_OPTIMIZERS, import_onnxruntime

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


@dataclass(frozen=True, kw_only=True)
class Tap:
    """One quantized layer."""

    name: str
    """Of its uint8 tensor in the graph."""
    channels: int
    side: int


def input_side(model: onnx.ModelProto) -> int:
    """Return the side of the model's square input, in pixels."""
    return int(model.graph.input[0].type.tensor_type.shape.dim[-1].dim_value)


def quantized_layers(model: onnx.ModelProto) -> list[Tap]:
    """Return all square quantized layers in the order of the graph."""
    names = [node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    if not names:
        return []
    side = input_side(model)
    layers = open_with_layers(model, names).run(
        names, {"image": np.zeros((1, 1, side, side), np.uint8)}
    )
    return [
        Tap(name=name, channels=layer.shape[1], side=layer.shape[2])
        for name, layer in zip(names, layers, strict=True)
        if layer.ndim == 4 and layer.dtype == np.uint8 and layer.shape[2] == layer.shape[3]
    ]


def open_with_layers(model: onnx.ModelProto, names: Sequence[str]) -> InferenceSession:
    """Open a copy of the model that also gives the tensors of these names; one thread.

    Raises ModelError where ONNX Runtime does not take it.
    """
    tapped = onnx.ModelProto()
    tapped.CopyFrom(model)
    tapped.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(
            tapped.SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=list(UNWANTED_OPTIMIZERS),
        )
    except Exception as error:
        raise ModelError("The model cannot be opened with more outputs: re-export it.") from error
