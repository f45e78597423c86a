"""A gate in a released model: it computes what was trained, and the model's own outputs stay."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from cxr_export.gate_graph import export_gate
from cxr_train.errors import DataError
from cxr_train.gate.head import GateHead
from cxr_train.gate.pictures import GateConfig
from cxr_train.gate.run import GATE_FILE, WEIGHTS_FILE
from cxr_train.gate.taps import TappedNetwork, cell_statistics
from edge_infer.errors import ModelError
from edge_infer.model.bundled import bundled_model
from edge_infer.model.classifier import Classifier
from edge_infer.model.model_card import ModelCard
from edge_infer.model.model_file import load_model_file, with_card
from edge_infer.model.self_test import run_self_test, self_test_inputs
from tests.export.untrained_gate import write_untrained_gate

CONFIG = GateConfig(planes=5, hidden=7)


@pytest.fixture(scope="module")
def tapped() -> TappedNetwork:
    return TappedNetwork.open(bundled_model())


@pytest.fixture(scope="module")
def head(tapped: TappedNetwork) -> GateHead:
    torch.manual_seed(4)
    return GateHead(tapped.taps, CONFIG).eval()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tapped: TappedNetwork, head: GateHead) -> Path:
    """Return a gate's run folder whose weights nobody trained."""
    folder = tmp_path_factory.mktemp("gate")
    write_untrained_gate(folder, bundled_model(), tapped.taps, head)
    return folder


@pytest.fixture(scope="module")
def gated(run: Path) -> Path:
    out = run / "gated.onnx"
    export_gate(run, bundled_model(), out, name="with-gate", version="9.9.9")
    return out


def test_the_graph_computes_what_the_trained_layers_do(
    gated: Path, tapped: TappedNetwork, head: GateHead
) -> None:
    inputs = self_test_inputs(224, 224)
    computed = Classifier.load(gated).run(inputs).gate
    assert computed is not None
    exact = GateHead(tapped.taps, CONFIG).double().eval()
    exact.load_state_dict(head.state_dict())
    for image, logits in zip(inputs, computed, strict=True):
        taps = [torch.from_numpy(one[None]).double() for one in tapped.look(image)]
        with torch.no_grad():
            expected = exact(taps).numpy()[0]
        np.testing.assert_allclose(logits, expected, rtol=0, atol=2e-6)
    assert np.abs(computed).max() > 0.01


def test_the_models_own_outputs_keep_every_bit(gated: Path) -> None:
    inputs = np.random.default_rng(0).integers(0, 256, (6, 1, 224, 224), dtype=np.uint8)
    before, after = Classifier.load(bundled_model()).run(inputs), Classifier.load(gated).run(inputs)
    np.testing.assert_array_equal(before.logits, after.logits)
    np.testing.assert_array_equal(before.cam, after.cam)


def test_the_card_names_the_gate_and_keeps_all_else(gated: Path) -> None:
    old, new = load_model_file(bundled_model()).card, load_model_file(gated).card
    assert new.gate is not None
    assert (new.name, new.version, new.gate.doubt, new.gate.refuse) == (
        "with-gate", "9.9.9", 20.0, 50.0
    )  # fmt: skip
    same = {
        field.name
        for field in dataclasses.fields(ModelCard)
        if getattr(old, field.name) == getattr(new, field.name)
    }
    changed = {"gate", "model_sha256", "name", "schema", "version"}
    assert {field.name for field in dataclasses.fields(ModelCard)} - same <= changed


def test_the_self_test_covers_the_gate(gated: Path, tmp_path: Path) -> None:
    card = load_model_file(gated).card
    assert run_self_test(Classifier.load(gated)).ok and card.gate is not None
    rows = tuple(tuple(logit + 0.2 for logit in row) for row in card.gate.self_test)
    wrong = dataclasses.replace(card, gate=dataclasses.replace(card.gate, self_test=rows))
    other = tmp_path / "other.onnx"
    other.write_bytes(with_card(gated.read_bytes(), wrong.to_json()))
    assert not run_self_test(Classifier.load(other)).ok


def test_a_card_that_promises_a_gate_needs_one_in_its_graph(gated: Path, tmp_path: Path) -> None:
    bare = load_model_file(bundled_model())
    card = dataclasses.replace(load_model_file(gated).card, model_sha256=bare.card.model_sha256)
    # The bundled model has a gate of its own; without its output the graph cannot fit.
    states = card.gate.states[:-1] if card.gate else ()
    assert card.gate is not None
    less = dataclasses.replace(
        card.gate, states=states, self_test=tuple(row[:-1] for row in card.gate.self_test)
    )
    other = tmp_path / "other.onnx"
    text = dataclasses.replace(card, gate=less).to_json()
    other.write_bytes(with_card(bundled_model().read_bytes(), text))
    with pytest.raises(ModelError, match="does not fit its card"):
        Classifier.load(other)


def test_a_gate_of_another_model_is_refused(run: Path, gated: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="another file"):
        export_gate(run, gated, tmp_path / "out.onnx", name=None, version="1")
    assert not (tmp_path / "out.onnx").exists()


def test_a_gate_takes_the_place_of_an_earlier_one(run: Path, gated: Path, tmp_path: Path) -> None:
    again = tmp_path / "run"
    again.mkdir()
    (again / WEIGHTS_FILE).write_bytes((run / WEIGHTS_FILE).read_bytes())
    facts = json.loads((run / GATE_FILE).read_text(encoding="utf-8"))
    facts["model"]["sha256"] = load_model_file(gated).sha256
    (again / GATE_FILE).write_text(json.dumps(facts), encoding="utf-8")
    export_gate(again, gated, tmp_path / "twice.onnx", name=None, version="2")
    once, twice = onnx.load(gated).graph, onnx.load(tmp_path / "twice.onnx").graph
    assert len(twice.node) == len(once.node) and len(twice.initializer) == len(once.initializer)
    assert [one.name for one in twice.output] == ["logits", "cam", "gate"]


def test_half_a_gate_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / GATE_FILE).write_bytes((run / GATE_FILE).read_bytes())
    with pytest.raises(DataError, match="no finished gate"):
        export_gate(tmp_path, bundled_model(), tmp_path / "out.onnx", name=None, version="1")


def test_statistics_of_cells_are_whole_numbers() -> None:
    image = np.zeros((8, 8), np.uint8)
    image[:4, :4] = 255
    image[4:, 4:] = np.tile(np.array([[10, 30]], np.uint8), (4, 2))
    mean, spread, black, white = cell_statistics(image, 2)
    np.testing.assert_array_equal(mean, [[255, 0], [0, 20]])
    np.testing.assert_array_equal(spread, [[0, 0], [0, 10]])
    np.testing.assert_array_equal(black, [[0, 255], [255, 0]])
    np.testing.assert_array_equal(white, [[255, 0], [0, 0]])
