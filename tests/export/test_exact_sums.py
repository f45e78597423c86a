"""Sums of residual blocks: exact quotients and the same network; a made graph, the bundled one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cxr_export.exact_sums import PARTS, make_sums_exact
from cxr_export.quantize import Method, prepare_for_quantization, quantize, run_logits
from edge_infer.model.bundled import bundled_model

SIDE, WIDTH = 32, 8


def make_residual_network(path: Path) -> None:
    """Write an fp32 graph of three blocks: a plain one, one with a convolution beside, a plain."""
    random = np.random.default_rng(3)
    nodes, weights = [], []

    def convolve(source: str, name: str, channels: int = WIDTH, size: int = 3) -> str:
        values = random.normal(0, 0.15, (WIDTH, channels, size, size)).astype(np.float32)
        weights.append(numpy_helper.from_array(values, f"{name}_weight"))
        bias = random.normal(0, 0.1, WIDTH).astype(np.float32)
        weights.append(numpy_helper.from_array(bias, f"{name}_bias"))
        inputs = [source, f"{name}_weight", f"{name}_bias"]
        pads = [size // 2] * 4
        nodes.append(helper.make_node("Conv", inputs, [name], name=name, pads=pads))
        return name

    def node(kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    node("Cast", ["image"], "grey", to=TensorProto.FLOAT)
    weights.append(numpy_helper.from_array(np.array(100, np.float32), "hundred"))
    node("Div", ["grey", "hundred"], "input")
    at = node("Relu", [convolve("input", "first", channels=1)], "start")
    for number, is_beside in enumerate((False, True, False)):
        inner = node("Relu", [convolve(at, f"one{number}")], f"inner{number}")
        beside = convolve(at, f"beside{number}", size=1) if is_beside else at
        total = node("Add", [convolve(inner, f"two{number}"), beside], f"sum{number}")
        at = node("Relu", [total], f"block{number}")
    head = random.normal(0, 0.3, (4, WIDTH, 1, 1)).astype(np.float32)
    weights.append(numpy_helper.from_array(head, "head"))
    node("Conv", [at, "head"], "cam")
    weights.append(numpy_helper.from_array(np.array([2, 3], np.int64), "axes"))
    node("ReduceMean", ["cam", "axes"], "logits", keepdims=0)
    graph = helper.make_graph(
        nodes,
        "residual",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 1, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 4]),
            helper.make_tensor_value_info("cam", TensorProto.FLOAT, ["n", 4, SIDE, SIDE]),
        ],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), path)


def find_quotients(path: Path) -> NDArray[np.float32]:
    """Return [sums, 2]: each input's scale over the sum's, divided in fp32 as ONNX Runtime does."""
    graph = onnx.load(path).graph
    values = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    takers = {name: node for node in graph.node for name in node.input}
    rows = []
    for node in graph.node:
        if node.op_type == "Add" and takers[node.output[0]].op_type == "QuantizeLinear":
            total = values[takers[node.output[0]].input[1]]
            rows.append([values[makers[name].input[1]] / total for name in node.input])
    return np.array(rows, np.float32)


@pytest.fixture(name="films", scope="module")
def make_films() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (40, 1, SIDE, SIDE), dtype=np.uint8)


def test_quotients_become_whole_parts_and_the_network_stays(
    tmp_path: Path, films: NDArray[np.uint8]
) -> None:
    fp32, prepared, int8 = (tmp_path / name for name in ("fp32.onnx", "ready.onnx", "int8.onnx"))
    make_residual_network(fp32)
    prepare_for_quantization(fp32, prepared)
    quantize(prepared, int8, films, method=Method.MINMAX)
    before, raw = run_logits(int8, films), find_quotients(int8)
    assert np.any(raw * PARTS % 1), "an arbitrary scale is no whole part of another"
    assert make_sums_exact(int8) == len(raw) == 3
    exact = find_quotients(int8)
    assert not np.any(exact * PARTS % 1)
    # Half a part of PARTS, and what the sums before it moved.
    np.testing.assert_allclose(exact, raw, rtol=0.02)
    # No farther from fp32 than before, give or take.
    wanted, after = run_logits(fp32, films), run_logits(int8, films)
    assert np.abs(after - wanted).mean() <= 1.5 * np.abs(before - wanted).mean()
    # A second time nothing moves.
    assert make_sums_exact(int8) == 3
    np.testing.assert_array_equal(find_quotients(int8), exact)


def test_a_network_without_sums_is_left_as_it_is(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(model.read_bytes())
    assert make_sums_exact(copy) == 0
    films = np.random.default_rng(0).integers(0, 256, (4, 1, 64, 64), dtype=np.uint8)
    np.testing.assert_array_equal(run_logits(copy, films), run_logits(model, films))


def test_the_bundled_model_has_exact_sums() -> None:
    quotients = find_quotients(bundled_model())
    assert quotients.shape == (9, 2)
    assert not np.any(quotients * PARTS % 1)
