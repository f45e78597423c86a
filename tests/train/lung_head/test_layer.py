"""The layer that finds lungs: which one it stands on, what it learns, what it costs to be wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest

from cxr_train.errors import ConfigError
from cxr_train.int8_layers import quantized_layers
from cxr_train.lung_head.layer import (
    LungHeadConfig,
    TaughtPlaces,
    choose_layer,
    dice,
    find_places,
    teach_layer,
)
from edge_infer.model.bundled import bundled_model


def test_it_stands_on_the_last_narrow_layer_of_twice_the_size() -> None:
    layers = quantized_layers(onnx.load(bundled_model()))
    chosen = choose_layer(onnx.load(bundled_model()))
    assert (chosen.channels, chosen.side) == (112, 14) and layers[-1].side == 7
    after = layers[layers.index(chosen) + 1 :]
    assert [one.channels for one in after if one.side == 14] == [672]


def test_a_network_without_int8_layers_is_refused() -> None:
    model = onnx.load(bundled_model())
    kept = [node for node in model.graph.node if node.op_type != "QuantizeLinear"]
    del model.graph.node[:], model.graph.output[:]
    model.graph.node.extend(kept[:1])
    model.graph.output.append(
        onnx.helper.make_tensor_value_info(kept[0].output[0], onnx.TensorProto.FLOAT, None)
    )
    with pytest.raises(ConfigError, match="INT8 model"):
        choose_layer(model)


def places(seed: int, known: float = 1.0) -> TaughtPlaces:
    """Return 40 films whose second channel says what is lung; others are noise."""
    random = np.random.default_rng(seed)
    layer = random.integers(0, 256, (40, 3, 6, 6), dtype=np.uint8)
    lungs = (layer[:, 1] > 140).astype(np.float32)
    weights = (random.random(lungs.shape) < known).astype(np.float32)
    return TaughtPlaces(layer=layer, lungs=np.where(weights > 0, lungs, 0.5), weights=weights)


def test_it_learns_which_channel_says_lung_from_the_places_that_are_known() -> None:
    weights, bias = teach_layer([places(0, 0.5), places(1, 0.5)], LungHeadConfig(epochs=200))
    seen = places(2)
    found = find_places(seen.layer, weights, bias)
    assert dice(found, seen.lungs).mean() > 0.97
    assert abs(weights[1]) > 20 * max(abs(weights[0]), abs(weights[2]))


def test_the_same_seed_gives_the_same_layer() -> None:
    config = LungHeadConfig(epochs=3)
    first, second = (teach_layer([places(0)], config) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    assert first[1] == second[1]
    other = teach_layer([places(0)], dataclasses.replace(config, seed=1))
    assert not np.array_equal(first[0], other[0])


def test_dice_counts_shared_places_twice() -> None:
    found = np.array([[[1.0, 1.0], [-1.0, -1.0]], [[-1.0, -1.0], [-1.0, -1.0]]])
    lungs = np.array([[[1, 0], [1, 0]], [[0, 0], [0, 0]]], np.float32)
    np.testing.assert_allclose(dice(found, lungs), [0.5, 0.0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"smooth": 0.3},
        {"floor": 0.0},
        {"least_lung": 0.5},
        {"strongest_share": 0.0},
        {"outside_costs": -1.0},
        {"head": -0.1},
        {"tuberculosis": 0.0, "abnormal": 0.0},
        {"epochs": 0},
        {"learning_rate": 0.0},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="A lung head needs"):
        LungHeadConfig(**wrong)  # type: ignore[arg-type]
