"""A training that begins with a released .onnx computes what that file computes, in both modes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from cxr_train.config import make_config
from cxr_train.data.dataset import load_films
from cxr_train.data.manifest import read_data, select
from cxr_train.errors import ConfigError
from cxr_train.fit.average import average_runs
from cxr_train.fit.checkpoint import load_run, load_start_of
from cxr_train.fit.run import fit_run
from cxr_train.fit.start import load_start
from edge_infer.errors import ModelError
from edge_infer.model.bundled import bundled_model
from edge_infer.model.classifier import Classifier
from tests.export.small_run import SIDE

SETTINGS = {"arch": "cnn5", "input_size": SIDE, "precision": "fp32", "batch_size": 16}


def pixels_of(run: Path) -> np.ndarray:
    films = select(read_data(run.parent / "data"), "train")
    return np.array(load_films(films, SIDE, what="train", cache=run.parent / "cache").pixels)


def test_unfolded_network_equals_the_file_in_both_modes(model: Path, run: Path) -> None:
    pixels = pixels_of(run)
    network = load_start(model, make_config({"arch": "cnn5"}), pixels)
    classifier = Classifier.load(model)
    expected = np.concatenate([classifier.run(film[None]).logits for film in pixels])
    with torch.no_grad():
        evaluated = network(torch.from_numpy(pixels))[0].numpy()
        trained = network.train()(torch.from_numpy(pixels))[0].numpy()
    # Activations of 8 bits are all that the file has beyond these weights.
    assert np.abs(evaluated - expected).max() < 0.05 * np.ptp(expected)
    assert (evaluated.argmax(axis=1) == expected.argmax(axis=1)).all()
    # The same films gave the statistics, so a training step sees the network unchanged.
    np.testing.assert_allclose(trained, evaluated, atol=1e-3)
    norms = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    variances = [norm.running_var for norm in norms if norm.running_var is not None]
    assert len(variances) == 5 and all(float(v.std()) > 0 for v in variances)


def test_a_training_can_begin_with_the_bundled_model() -> None:
    settings = {"arch": "efficientnet_lite0", "referral": True, "hospitals": ["Shenzhen"]}
    films = np.random.default_rng(0).integers(0, 256, (4, 1, 224, 224), dtype=np.uint8)
    network = load_start(bundled_model(), make_config(settings), films)
    values = {one.name: one for one in onnx.load(bundled_model()).graph.initializer}
    head = onnx.numpy_helper.to_array(values["cam.weight"])
    np.testing.assert_array_equal(network.cam.weight.detach().numpy(), head)
    with torch.no_grad():
        assert network(torch.from_numpy(films))[0].std() > 0


def test_a_training_goes_on_from_the_file_and_may_take_it_into_the_mean(
    model: Path, run: Path, tmp_path: Path
) -> None:
    data, cache = run.parent / "data", run.parent / "cache"
    config = make_config({**SETTINGS, "stages": [{"size": SIDE, "epochs": 1}]})
    fit_run(config, data, tmp_path / "on", start_from=model, cache=cache)
    further = load_run(tmp_path / "on")
    start = load_start_of(further)
    assert further.facts["started_from"] == str(model)
    assert further.facts["val"]["accuracy"] > 0.9
    lines = average_runs([tmp_path / "on"], tmp_path / "mean", with_start=True, cache=cache)
    assert len(lines) == 3 and all("varied films: macro-F1 " in line for line in lines)
    mean = load_run(tmp_path / "mean")
    expected = (further.network.cam.weight + start.cam.weight) / 2
    torch.testing.assert_close(mean.network.cam.weight, expected)
    assert '"with_start": "small.onnx"' in mean.recipe_text


def test_files_that_do_not_fit_are_refused_in_one_sentence(
    model: Path, run: Path, tmp_path: Path
) -> None:
    pixels = pixels_of(run)
    with pytest.raises(ConfigError, match="not those of this program's resnet18"):
        load_start(model, make_config({}), pixels)
    text = tmp_path / "model.onnx"
    text.write_text("not a model", encoding="utf-8")
    with pytest.raises(ModelError):
        load_start(text, make_config({"arch": "cnn5"}), pixels)
