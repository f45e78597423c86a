"""INT8 by QDQ: U8 activations, S8 weights per channel in 7 bits, the 1x1 head not quantized.

7-bit weights (`reduce_range`) because AVX2's vpmaddubsw saturates 16-bit sums of 8-bit products:
without it an older clinic PC computes other logits than the exporter's. It costs 5 % speed.
Depthwise convolutions have 8 bits: their kernels sum in 32 bits on every processor.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from cxr_export.calibration_set import CalibrationFilms
from edge_infer.model.runtime import UNWANTED_OPTIMIZERS, import_onnxruntime

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

MOST_FILMS_AT_ONCE = 10
"""Percentile and Entropy keep every layer's output of the films they are given: 33 MB a film for
ResNet-18 at 224 px, so 7 GB for all 200 at once (onnxruntime #10503, #21979)."""
Ranges = dict[str, tuple[float, float]]
"""Lowest and highest value to represent, by tensor."""
_LEAST_OF_BIAS = 2.0**-14
_QUANTIZED_TYPES = ["Conv", "Add", "MaxPool", "AveragePool", "Concat", "Mul", "Relu", "Clip"]


class Method(StrEnum):
    """How activation ranges are chosen, in the order they are tried."""

    LEAST_ERROR = "least squared error"
    """By `refine`, which hands the ranges over; tried only where that did better."""
    MINMAX = "MinMax"
    PERCENTILE = "Percentile"
    ENTROPY = "Entropy"


@dataclass(frozen=True, kw_only=True)
class ConvolutionCount:
    """Convolutions of the graph as ONNX Runtime will run it."""

    int8: int
    fp32: int


def prepare_for_quantization(fp32: Path, prepared: Path) -> None:
    """Fold constants and batch norms and infer shapes."""
    import_onnxruntime()
    from onnxruntime.quantization.shape_inference import quant_pre_process

    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)  # its advice to run what is being run
    try:
        quant_pre_process(str(fp32), str(prepared))
    finally:
        logging.getLogger().setLevel(level)


def quantize(
    prepared: Path,
    int8: Path,
    pixels: NDArray[np.uint8],
    *,
    method: Method,
    exempt: Sequence[str] = (),
    ranges: Ranges | None = None,
    seven_bits: bool = True,
    depthwise_bits: int = 8,
) -> None:
    """Quantize `prepared` with ranges from `pixels` [N, 1, H, W]; `exempt` nodes stay fp32.

    With LEAST_ERROR every activation's range is given by `ranges`. Without `seven_bits` weights
    have 8, to compare with: older processors then compute otherwise.
    """
    import_onnxruntime()
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    model = onnx.load(prepared)
    given = ranges if method is Method.LEAST_ERROR else None
    assert given is not None or method is not Method.LEAST_ERROR
    overrides = _weight_overrides(model, seven_bits=seven_bits, depthwise_bits=depthwise_bits)
    overrides |= _range_overrides(given or {})
    # The calibrators print of their progress; stdout is for results.
    with redirect_stdout(StringIO()):
        quantize_static(
            str(prepared),
            str(int8),
            CalibrationFilms(pixels[:1] if given else pixels),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_QUANTIZED_TYPES,
            per_channel=True,
            reduce_range=seven_bits,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[*nodes_before_network(model), *nodes_from_head(model), *exempt],
            calibrate_method=CalibrationMethod.MinMax if given else CalibrationMethod[method.value],
            extra_options=_options(method, len(pixels)) | {"TensorQuantOverrides": overrides},
        )


def _weight_overrides(
    model: onnx.ModelProto, *, seven_bits: bool, depthwise_bits: int
) -> dict[str, list[dict[str, Any]]]:
    """Return ONNX Runtime's overrides for each convolution's weight, channel by channel.

    Channels that training left without weights keep their bias: a scale so small that the bias in
    its steps does not fit 32 bits is made larger.
    """
    values = {one.name: one for one in model.graph.initializer}
    overrides = {}
    for node in model.graph.node:
        if node.op_type != "Conv" or node.input[1] not in values:
            continue
        weight = numpy_helper.to_array(values[node.input[1]])
        largest = np.abs(weight).max(axis=(1, 2, 3))
        if len(node.input) > 2:
            bias = np.abs(numpy_helper.to_array(values[node.input[2]]))
            largest = np.maximum(largest, bias * _LEAST_OF_BIAS)
        group = next((one.i for one in node.attribute if one.name == "group"), 1)
        depthwise = 1 < group == len(weight)
        reduce = seven_bits and not (depthwise and depthwise_bits == 8)
        overrides[node.input[1]] = [
            {"axis": 0, "reduce_range": reduce, "rmin": -most, "rmax": most} for most in largest
        ]
    return overrides


def _range_overrides(ranges: Ranges) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [{"rmin": np.float32(low), "rmax": np.float32(high)}]
        for name, (low, high) in ranges.items()
    }


def _options(method: Method, films: int) -> dict[str, Any]:
    options: dict[str, Any] = {"ActivationSymmetric": False, "WeightSymmetric": True}
    if method in (Method.PERCENTILE, Method.ENTROPY):
        # ONNX Runtime's name says MinMax, its code reads in strides whatever the method; the
        # number of films must be divisible.
        options["CalibStridedMinMax"] = max(
            part for part in range(1, MOST_FILMS_AT_ONCE + 1) if films % part == 0
        )
    if method is Method.PERCENTILE:
        # After a ReLU, symmetric ranges (the default here) would leave half of the 8 bits unused.
        options |= {"CalibPercentile": 99.99, "CalibTensorRangeSymmetric": False}
    return options


def nodes_before_network(model: onnx.ModelProto) -> list[str]:
    """Return the names of what is done to the image before any convolution sees it."""
    reached: set[str] = set()
    names = []
    for node in model.graph.node:
        if node.op_type == "Conv" or reached & set(node.input):
            reached |= set(node.output)
        else:
            names.append(node.name)
    return names


def nodes_from_head(model: onnx.ModelProto) -> list[str]:
    """Return the names of the `cam` convolution and everything after it."""
    nodes = list(model.graph.node)
    head = next(index for index, node in enumerate(nodes) if "cam" in node.output)
    reached = set(nodes[head].output)
    names = [nodes[head].name]
    for node in nodes[head + 1 :]:
        if reached & set(node.input):
            reached |= set(node.output)
            names.append(node.name)
    return names


def convolutions(prepared: Path) -> list[str]:
    """Return the names of all convolutions but the head."""
    model = onnx.load(prepared)
    head = set(nodes_from_head(model))
    return [n.name for n in model.graph.node if n.op_type == "Conv" and n.name not in head]


def count_convolutions(model: Path, folder: Path) -> ConvolutionCount:
    """Count INT8 and fp32 convolutions in the graph as ONNX Runtime optimises it."""
    optimised = folder / "optimised.onnx"
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(optimised)
    options.log_severity_level = 4
    _open(model, options)
    kinds = [node.op_type for node in onnx.load(optimised).graph.node]
    # FusedConv and NhwcFusedConv are fp32 too: whatever ends in Conv and is not QLinearConv.
    int8 = kinds.count("QLinearConv")
    return ConvolutionCount(int8=int8, fp32=sum(kind.endswith("Conv") for kind in kinds) - int8)


def rank_by_sensitivity(
    prepared: Path,
    folder: Path,
    pixels: NDArray[np.uint8],
    method: Method,
    ranges: Ranges | None = None,
) -> list[str]:
    """Order convolutions by how much quantizing all the others but it helps, worst layer first."""
    names = convolutions(prepared)
    probe = pixels[:: max(1, len(pixels) // 32)]
    reference = run_logits(prepared, probe)
    errors = {}
    for name in names:
        trial = folder / "trial.onnx"
        quantize(prepared, trial, pixels[:50], method=method, exempt=[name], ranges=ranges)
        errors[name] = float(np.abs(run_logits(trial, probe) - reference).mean())
    return sorted(names, key=lambda name: errors[name])


def open_session(model: Path) -> InferenceSession:
    """Open `model` on one thread, silent."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return _open(model, options)


def _open(model: Path, options: SessionOptions) -> InferenceSession:
    return import_onnxruntime().InferenceSession(
        str(model),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=list(UNWANTED_OPTIMIZERS),
    )


def run_logits(model: Path, pixels: NDArray[np.uint8], *, batch: int = 8) -> NDArray[np.float32]:
    """Return logits [N, 4] of uint8 films [N, 1, H, W]."""
    session = open_session(model)
    parts = [
        session.run(["logits"], {"image": np.array(pixels[start : start + batch])})[0]
        for start in range(0, len(pixels), batch)
    ]
    return np.concatenate(parts)
