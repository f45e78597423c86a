"""The session: contract outputs, class order, self-test, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from edge_infer.errors import ModelError
from edge_infer.model.bundled import bundled_model
from edge_infer.model.classifier import Classifier
from edge_infer.model.model_file import hash_without_card, load_model_file, with_card
from edge_infer.model.self_test import run_self_test, self_test_inputs
from tests.edge.model.make_tiny_onnx import write_referral_model

TINY = Path(__file__).with_name("tiny.onnx")


def films(count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 1, 64, 64), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_batch_runs_and_logits_are_the_mean_of_cam_plus_bias(count: int) -> None:
    output = Classifier.load(TINY).run(films(count))
    assert output.logits.shape == (count, 4)
    assert output.cam.shape == (count, 4, 8, 8)
    bias = np.array([0.5, 0.0, -0.25, -0.5])
    np.testing.assert_allclose(output.logits, output.cam.mean(axis=(2, 3)) + bias, atol=1e-5)


def test_a_referral_logit_comes_last_whatever_the_order_of_classes(tmp_path: Path) -> None:
    path = write_referral_model(tmp_path / "five.onnx")
    classifier = Classifier.load(path)
    assert run_self_test(classifier).ok
    straight = classifier.run(films())
    assert straight.logits.shape == (3, 5) and straight.cam.shape == (3, 5, 8, 8)
    np.testing.assert_array_equal(straight.logits[:, :4], Classifier.load(TINY).run(films()).logits)
    card = classifier.card
    turned = replace(card, classes=card.classes[::-1])
    path.write_bytes(with_card(path.read_bytes(), turned.to_json()))
    other = Classifier.load(path).run(films())
    order = [3, 2, 1, 0, 4]
    np.testing.assert_array_equal(other.logits, straight.logits[:, order])
    np.testing.assert_array_equal(other.cam, straight.cam[:, order])


def test_a_graph_and_a_card_of_other_outputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'self_test\.logits' is impossible"):
        Classifier.load(write_referral_model(tmp_path / "bare.onnx", referral=None))
    five, four = load_model_file(write_referral_model(tmp_path / "5.onnx")), load_model_file(TINY)
    for graph, other in ((four, five), (five, four)):
        card = replace(other.card, model_sha256=graph.card.model_sha256)
        mixed = tmp_path / "mixed.onnx"
        mixed.write_bytes(with_card(graph.data, card.to_json()))
        with pytest.raises(ModelError, match="does not fit its card"):
            Classifier.load(mixed)


def test_outputs_come_in_the_order_of_classes(tmp_path: Path) -> None:
    data = TINY.read_bytes()
    card = load_model_file(TINY).card
    turned = replace(card, classes=card.classes[::-1])
    path = tmp_path / "turned.onnx"
    path.write_bytes(with_card(data, turned.to_json()))
    straight, other = Classifier.load(TINY).run(films()), Classifier.load(path).run(films())
    np.testing.assert_array_equal(other.logits, straight.logits[:, ::-1])
    np.testing.assert_array_equal(other.cam, straight.cam[:, ::-1])


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 1, 64, 64), dtype=np.float32),
        np.zeros((1, 64, 64), dtype=np.uint8),
        np.zeros((1, 1, 64, 65), dtype=np.uint8),
    ],
)
def test_other_arrays_are_a_bug(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        Classifier.load(TINY).run(images)


def test_self_test_passes_here_and_fails_for_other_logits() -> None:
    classifier = Classifier.load(TINY)
    result = run_self_test(classifier)
    assert result.ok
    assert result.largest_difference < 1e-4
    rows = classifier.card.self_test.logits
    wrong = replace(classifier.card.self_test, logits=((rows[0][0] + 0.5, *rows[0][1:]), *rows[1:]))
    classifier.card = replace(classifier.card, self_test=wrong)
    assert not run_self_test(classifier).ok


def test_self_test_notices_another_order_of_classes() -> None:
    """Both sides in the card's own order would agree, with the scores of two classes swapped."""
    classifier = Classifier.load(TINY)
    normal, pneumonia, *others = classifier.card.classes
    swapped = replace(classifier.card, classes=(pneumonia, normal, *others))
    file = replace(load_model_file(TINY), card=swapped)
    assert not run_self_test(Classifier.open(file)).ok


def test_self_test_fails_for_another_number_of_films() -> None:
    classifier = Classifier.load(TINY)
    short = replace(classifier.card.self_test, logits=classifier.card.self_test.logits[:3])
    classifier.card = replace(classifier.card, self_test=short)
    result = run_self_test(classifier)
    assert not result.ok and result.largest_difference == float("inf")


def test_self_test_inputs_never_change() -> None:
    inputs = self_test_inputs(224, 224)
    assert inputs.shape == (4, 1, 224, 224)
    # Values by hand: k = 0 at (0, 0): 128 + 96 + 0; at (2, 3): |8 - 128| + |(3 - 3) - 96| + grain.
    assert inputs[0, 0, 0, 0] == 224
    grain = ((2 * 224 + 3) * 2654435761 % 4294967296) >> 27
    assert inputs[0, 0, 2, 3] == min(255, 120 + 96 + grain)
    assert len({picture.tobytes() for picture in inputs}) == 4


def with_graph(tmp_path: Path, change: object) -> Path:
    model = onnx.load(TINY)
    change(model)  # type: ignore[operator]
    card = load_model_file(TINY).card
    data = model.SerializeToString()
    path = tmp_path / "other.onnx"
    path.write_bytes(with_card(data, replace(card, model_sha256=hash_without_card(data)).to_json()))
    return path


def test_a_fixed_batch_is_refused(tmp_path: Path) -> None:
    def fix(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1

    with pytest.raises(ModelError, match="does not fit its card"):
        Classifier.load(with_graph(tmp_path, fix))


def test_outputs_good_for_one_film_only_are_refused(tmp_path: Path) -> None:
    def freeze(model: onnx.ModelProto) -> None:
        # The declared batch stays symbolic; ONNX Runtime infers that it is 1.
        model.graph.node[-1].output[0] = "any_batch"
        one = onnx.numpy_helper.from_array(np.array([1, 4], dtype=np.int64), "one")
        model.graph.initializer.append(one)
        model.graph.node.append(onnx.helper.make_node("Reshape", ["any_batch", "one"], ["logits"]))

    with pytest.raises(ModelError, match="does not fit its card"):
        Classifier.load(with_graph(tmp_path, freeze))


def test_outputs_of_another_type_are_refused(tmp_path: Path) -> None:
    def widen(model: onnx.ModelProto) -> None:
        model.graph.node[-1].output[0] = "narrow"
        double = onnx.TensorProto.DOUBLE
        model.graph.node.append(onnx.helper.make_node("Cast", ["narrow"], ["logits"], to=double))
        model.graph.output[0].type.tensor_type.elem_type = double

    with pytest.raises(ModelError, match="does not fit its card"):
        Classifier.load(with_graph(tmp_path, widen))


def test_a_graph_that_fails_while_running_is_a_model_error(tmp_path: Path) -> None:
    def add_third_film(model: onnx.ModelProto) -> None:
        model.graph.node[-1].output[0] = "own"
        two = onnx.numpy_helper.from_array(np.array(2, dtype=np.int64), "two")
        model.graph.initializer.append(two)
        model.graph.node.append(onnx.helper.make_node("Gather", ["own", "two"], ["third"]))
        model.graph.node.append(onnx.helper.make_node("Add", ["own", "third"], ["logits"]))

    classifier = Classifier.load(with_graph(tmp_path, add_third_film))
    assert classifier.run(films(3)).logits.shape == (3, 4)
    with pytest.raises(ModelError, match=r"tiny 0\.0\.1 failed while running"):
        classifier.run(films(2))


def test_an_operator_nobody_knows_is_refused(tmp_path: Path) -> None:
    def spoil(model: onnx.ModelProto) -> None:
        model.graph.node[0].op_type = "NoSuchThing"

    with pytest.raises(ModelError, match="cannot be loaded by ONNX Runtime"):
        Classifier.load(with_graph(tmp_path, spoil))


@pytest.mark.parametrize("field", ["ir_version", "opset"])
def test_a_model_newer_than_the_runtime_says_what_to_update(field: str, tmp_path: Path) -> None:
    def renew(model: onnx.ModelProto) -> None:
        if field == "opset":
            model.opset_import[0].version = 99
        else:
            model.ir_version = 99

    with pytest.raises(ModelError, match=r"is newer than ONNX Runtime [0-9.]+ .*update onnxrunt"):
        Classifier.load(with_graph(tmp_path, renew))


def test_a_loop_that_never_ends_is_refused_unrun(tmp_path: Path) -> None:
    def go_round(model: onnx.ModelProto) -> None:
        helper, kind = onnx.helper, onnx.TensorProto
        body = helper.make_graph(
            [
                helper.make_node("Identity", ["go"], ["go_on"]),
                helper.make_node("Add", ["x", "x"], ["xx"]),
            ],
            "body",
            [
                helper.make_tensor_value_info("turn", kind.INT64, []),
                helper.make_tensor_value_info("go", kind.BOOL, []),
                helper.make_tensor_value_info("x", kind.FLOAT, ["N", 4]),
            ],
            [
                helper.make_tensor_value_info("go_on", kind.BOOL, []),
                helper.make_tensor_value_info("xx", kind.FLOAT, ["N", 4]),
            ],
        )
        yes = onnx.numpy_helper.from_array(np.array(True), "yes")
        model.graph.initializer.append(yes)
        model.graph.node[-1].output[0] = "own"
        model.graph.node.append(helper.make_node("Loop", ["", "yes", "own"], ["logits"], body=body))

    with pytest.raises(ModelError, match="has a graph inside its node 'Loop'"):
        Classifier.load(with_graph(tmp_path, go_round))


def test_a_run_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    def repeat(model: onnx.ModelProto) -> None:
        model.graph.node[-1].output[0] = "step0"
        for step in range(5_000):
            last = "logits" if step == 4_999 else f"step{step + 1}"
            model.graph.node.append(onnx.helper.make_node("Erf", [f"step{step}"], [last]))

    classifier = Classifier.load(with_graph(tmp_path, repeat))
    with pytest.raises(ModelError, match="failed while running"):
        classifier.run(films(3), limit_s=0.0)
    assert classifier.run(films(3), limit_s=60.0).logits.shape == (3, 4)


def test_a_map_larger_than_any_network_s_is_refused(tmp_path: Path) -> None:
    def swell(model: onnx.ModelProto) -> None:
        helper = onnx.helper
        side = onnx.numpy_helper.from_array(np.array([6, 1000, 1000, 1000], np.int64), "side")
        model.graph.initializer.append(side)
        model.graph.node[-1].output[0] = "own"
        model.graph.node.append(helper.make_node("ConstantOfShape", ["side"], ["big"]))
        model.graph.node.append(helper.make_node("ReduceMax", ["big"], ["none"], keepdims=0))
        model.graph.node.append(helper.make_node("Add", ["own", "none"], ["logits"]))

    with pytest.raises(ModelError, match="failed while running"):
        run_self_test(Classifier.load(with_graph(tmp_path, swell)))


LOADING = """
import resource, sys
from pathlib import Path
from edge_infer.model.classifier import Classifier
Classifier.load(Path(sys.argv[1]))
own = Path("/proc/self/status")
if own.exists():
    (line,) = [line for line in own.read_text().splitlines() if line.startswith("VmHWM")]
    print(int(line.split()[1]) >> 10)
else:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(most >> (20 if sys.platform == "darwin" else 10))
"""
"""Prints the MB it took at most. On Linux `getrusage` counts what the process had before it became
another program: pytest's own memory."""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX tells how much memory was used")
def test_what_depends_on_no_film_is_not_computed_while_loading(tmp_path: Path) -> None:
    """600 such sums, of 4 MB each in a file of 100 kB, took 2.8 GB there, where no limit holds."""

    def sum_constants(model: onnx.ModelProto) -> None:
        helper, numbers = onnx.helper, onnx.numpy_helper
        high, wide = np.zeros((1000, 1), np.float32), np.zeros((1, 1000), np.float32)
        model.graph.initializer.extend(
            [numbers.from_array(high, "sum0"), numbers.from_array(wide, "wide")]
        )
        model.graph.node[-1].output[0] = "own"
        for step in range(150):
            made = [f"sum{step}", "wide"], [f"sum{step + 1}"]
            model.graph.node.append(helper.make_node("Add", *made))
        model.graph.node.append(helper.make_node("ReduceMax", ["own"], ["top"], keepdims=0))
        sums = [f"sum{step}" for step in range(1, 151)]
        model.graph.node.append(helper.make_node("Max", [*sums, "top"], ["sum"]))
        model.graph.node.append(helper.make_node("ReduceMax", ["sum"], ["most"], keepdims=0))
        model.graph.node.append(helper.make_node("Add", ["own", "most"], ["logits"]))

    command = [sys.executable, "-c", LOADING, str(with_graph(tmp_path, sum_constants))]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert int(done.stdout) < 300


def test_a_graph_of_too_many_nodes_is_refused(tmp_path: Path) -> None:
    def lengthen(model: onnx.ModelProto) -> None:
        model.graph.node[-1].output[0] = "step0"
        for step in range(8_000):
            last = "logits" if step == 7_999 else f"step{step + 1}"
            model.graph.node.append(onnx.helper.make_node("Identity", [f"step{step}"], [last]))

    with pytest.raises(ModelError, match="more than 8000 nodes"):
        Classifier.load(with_graph(tmp_path, lengthen))


def test_a_sparse_tensor_is_refused(tmp_path: Path) -> None:
    """Loaded, it is as large as it says; in the file it is 40 bytes."""

    def thin_out(model: onnx.ModelProto) -> None:
        tensor = onnx.SparseTensorProto(dims=[1000, 1000, 1000])
        one = np.ones(1, np.float32)
        tensor.values.CopyFrom(onnx.numpy_helper.from_array(one, "thin"))
        tensor.indices.CopyFrom(onnx.numpy_helper.from_array(np.array([5], np.int64), "at"))
        model.graph.sparse_initializer.append(tensor)

    with pytest.raises(ModelError, match="has a sparse tensor"):
        Classifier.load(with_graph(tmp_path, thin_out))


def test_another_preprocessing_is_refused(tmp_path: Path) -> None:
    card = load_model_file(TINY).card
    later = replace(card, input=replace(card.input, preprocessing_version=99))
    path = tmp_path / "later.onnx"
    path.write_bytes(with_card(TINY.read_bytes(), later.to_json()))
    with pytest.raises(ModelError, match="expects preprocessing 99"):
        Classifier.load(path)


def test_the_bundled_model_passes_its_self_test_here() -> None:
    classifier = Classifier.load(bundled_model())
    assert run_self_test(classifier).ok
    card = classifier.card
    assert card.min_age_years == 15
    assert "not a medical device" in card.intended_use
    assert card.quantization.exempt_nodes == ("cam",)
    assert card.quantization.int8_convolutions == 49
    assert bundled_model().stat().st_size <= 12_000_000
