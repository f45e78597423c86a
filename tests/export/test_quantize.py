"""INT8 itself: seven bits, counted convolutions, exemptions, fallback methods."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from cxr_export.calibration_set import CalibrationFilms
from cxr_export.quantize import (
    ConvolutionCount,
    Method,
    convolutions,
    count_convolutions,
    nodes_from_head,
    prepare_for_quantization,
    quantize,
    rank_by_sensitivity,
    run_logits,
)
from cxr_export.to_onnx import export_onnx
from cxr_train.fit.network import CamNetwork
from tests.export.small_run import SIDE


def test_weights_fit_in_seven_bits(model: Path) -> None:
    weights = [
        onnx.numpy_helper.to_array(tensor)
        for tensor in onnx.load(model).graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 4
    ]
    assert len(weights) == 5
    assert max(int(np.abs(weight.astype(int)).max()) for weight in weights) <= 64


def test_an_fp32_graph_counts_no_int8_convolution(model: Path, tmp_path: Path) -> None:
    fp32 = model.with_name("small.fp32.onnx")
    count = count_convolutions(fp32, tmp_path)
    assert (count.int8, count.fp32) == (0, 6)
    assert len(convolutions(fp32)) == 5
    assert nodes_from_head(onnx.load(fp32))


def test_an_exempt_convolution_stays_fp32_and_is_counted(model: Path, tmp_path: Path) -> None:
    prepared, int8 = tmp_path / "prepared.onnx", tmp_path / "int8.onnx"
    prepare_for_quantization(model.with_name("small.fp32.onnx"), prepared)
    films = np.random.default_rng(2).integers(0, 256, (8, 1, SIDE, SIDE), dtype=np.uint8)
    ranked = rank_by_sensitivity(prepared, tmp_path, films, Method.MINMAX)
    assert sorted(ranked) == sorted(convolutions(prepared)) and len(ranked) == 5
    # Neither the first nor the last: those between INT8 layers are what ONNX Runtime's
    # WeightBiasQuantization would quantize by itself at load.
    middle = convolutions(prepared)[1:3]
    quantize(prepared, int8, films, method=Method.MINMAX, exempt=middle)
    assert count_convolutions(int8, tmp_path) == ConvolutionCount(int8=3, fp32=3)


@pytest.mark.parametrize("method", [Method.PERCENTILE, Method.ENTROPY])
def test_fallback_methods_are_silent_and_hold_few_films_at_once(
    model: Path, tmp_path: Path, method: Method, capfd: pytest.CaptureFixture[str]
) -> None:
    prepared, int8 = tmp_path / "prepared.onnx", tmp_path / "int8.onnx"
    prepare_for_quantization(model.with_name("small.fp32.onnx"), prepared)
    films = np.random.default_rng(2).integers(0, 256, (13, 1, SIDE, SIDE), dtype=np.uint8)
    quantize(prepared, int8, films, method=method)
    # Results alone go to stdout; the calibrators print of their progress.
    assert capfd.readouterr().out == ""
    assert count_convolutions(int8, tmp_path) == ConvolutionCount(int8=5, fp32=1)
    assert np.isfinite(run_logits(int8, films)).all()


def test_the_calibrator_asks_for_ranges_of_films() -> None:
    films = CalibrationFilms(np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1))

    def given() -> list[int]:
        return [int(one["image"][0, 0, 0, 0]) for one in iter(films.get_next, None)]

    assert len(films) == 5
    assert given() == [0, 1, 2, 3, 4]
    films.set_range(2, 4)
    assert given() == [2, 3]


def test_what_is_done_to_the_image_first_is_exact_and_not_quantized(tmp_path: Path) -> None:
    torch.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU())
    network = CamNetwork(features, 8)
    network.standardized = True
    fp32, prepared, int8 = (tmp_path / name for name in ("fp32.onnx", "prepared.onnx", "int8.onnx"))
    export_onnx(network, fp32, size=SIDE)
    prepare_for_quantization(fp32, prepared)
    films = np.random.default_rng(0).integers(30, 180, (6, 1, SIDE, SIDE), dtype=np.uint8)
    quantize(prepared, int8, films, method=Method.MINMAX)
    kinds = [node.op_type for node in onnx.load(int8).graph.node]
    # The first rounding to INT8 is that of the finished image, right before the first layer.
    assert {"Sqrt", "Round", "Clip"} <= set(kinds[: kinds.index("QuantizeLinear")])
    assert kinds.index("Conv") - kinds.index("QuantizeLinear") == 2
    with torch.no_grad():
        expected = network(torch.from_numpy(films))[0].numpy()
    np.testing.assert_allclose(run_logits(fp32, films), expected, atol=1e-5)
    brighter = (films + 60).astype(np.uint8)
    np.testing.assert_array_equal(run_logits(int8, brighter), run_logits(int8, films))
