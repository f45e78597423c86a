"""Quantization-aware epochs: the same network before rounding, the export's grid after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cxr_train.config import TrainConfig, make_config
from cxr_train.data.dataset import LoadedImages, load_images
from cxr_train.data.manifest import read_data, select
from cxr_train.fit.checkpoint import load_state
from cxr_train.fit.loop import train, train_step
from cxr_train.fit.network import CamNetwork, build_network
from cxr_train.fit.objectives import Truth
from cxr_train.fit.quantize_aware import quantize_aware, rounded_activations, see_as_int8
from cxr_train.fit.rounded_layers import (
    Mode,
    RoundedActivation,
    RoundedConvolution,
    levels_of,
    round_weight,
)
from cxr_train.fit.state import start_state
from tests.train.tiny_films import write_data


def lively(arch: str) -> CamNetwork:
    """Return a network whose batch norms do something."""
    torch.manual_seed(0)
    network = build_network(arch).eval()
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None and norm.running_var is not None
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.5, 2)
            nn.init.uniform_(norm.weight, 0.5, 1.5)
    return network


def films(count: int = 8, side: int = 64) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 1, side, side), generator=generator).float()


# The number of places is that of QuantizeLinear nodes in the exported file: the image, every
# convolution, every sum.
@pytest.mark.parametrize(
    ("arch", "places"), [("cnn5", 6), ("resnet18", 29), ("efficientnet_lite0", 59)]
)
def test_unrounded_it_is_the_same_network(arch: str, places: int) -> None:
    network = lively(arch)
    view = quantize_aware(network)
    convolutions = [one for one in view.modules() if isinstance(one, RoundedConvolution)]
    for convolution in convolutions:
        convolution.exact = True
    with torch.no_grad():
        for seen, plain in zip(view(films()), network(films()), strict=True):
            torch.testing.assert_close(seen, plain, rtol=1e-4, atol=1e-4)
    assert len(list(rounded_activations(view))) == places
    assert {id(p) for p in view.parameters()} == {id(p) for p in network.parameters()}


def test_weights_are_rounded_per_channel_to_64_steps_and_127_in_depthwise() -> None:
    weight = torch.tensor([[1.0, 0.49 / 64, 0.51 / 64, -1.0], [6.4, 0.06, -0.16, 0.0]])
    weight = weight.reshape(2, 4, 1, 1).requires_grad_()
    rounded = round_weight(weight, levels=levels_of(nn.Conv2d(4, 2, 1)))
    expected = torch.tensor([[1.0, 0.0, 1 / 64, -1.0], [6.4, 0.1, -0.2, 0.0]])
    torch.testing.assert_close(rounded.reshape(2, 4), expected)
    rounded.sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(weight.grad, torch.ones_like(weight))  # straight through
    assert levels_of(nn.Conv2d(4, 4, 3, groups=4)) == 127
    assert levels_of(nn.Conv2d(1, 4, 3)) == levels_of(nn.Conv2d(4, 4, 3, groups=2)) == 64


def test_activations_are_rounded_to_256_steps_that_hold_zero() -> None:
    place = RoundedActivation("here")
    place.set_range(-1.0, 254.0)
    values = torch.tensor([-9.0, -0.6, 0.0, 0.4, 99.6, 300.0], requires_grad=True)
    rounded = place(values)
    torch.testing.assert_close(rounded, torch.tensor([-1.0, -1.0, 0.0, 0.0, 100.0, 254.0]))
    rounded.sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [0, 1, 1, 1, 1, 0]  # none where a value is clipped


def watched(values: Tensor) -> RoundedActivation:
    place = RoundedActivation("here")
    for mode in (Mode.FIND_EXTREMES, Mode.COUNT):
        place.mode = mode
        for batch in values.split(1000):  # type: ignore[no-untyped-call]
            place(batch)
    place.choose_range()
    return place


def test_a_range_is_clipped_where_that_loses_least() -> None:
    torch.manual_seed(0)
    even = watched(torch.rand(100_000) * 5 - 1)
    assert (float(even.low), float(even.high)) == pytest.approx((-1, 4), abs=0.01)
    # The best clip of a Laplace distribution at 8 bits is 9.89 times its scale (Banner et al. 2019,
    # "Post training 4-bit quantization of convolutional networks"); its largest value is at 13.
    laplace = torch.distributions.Laplace(0.0, 2.0).sample((1_000_000,))
    place = watched(laplace)
    assert float(laplace.abs().max()) > 2 * 13
    assert float(place.high) == pytest.approx(2 * 9.89, rel=0.1)


def test_rounding_moves_logits_little_and_leaves_the_network_alone() -> None:
    network = lively("resnet18")
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with torch.no_grad():
        plain = network(films())[0]
        seen = see_as_int8(network, [films()])(films())[0]
    assert 0 < (seen - plain).abs().mean() < 0.1 * plain.std()
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key]), key


@pytest.fixture(name="sets")
def load_sets(tmp_path: Path) -> tuple[LoadedImages, LoadedImages]:
    examples = read_data(write_data(tmp_path / "data"))
    train_set, val_set = (
        load_images(select(examples, split), height=32, width=32, cache=tmp_path / "cache")
        for split in ("train", "val")
    )
    return train_set, val_set


def settings(**more: object) -> TrainConfig:
    stages = [{"size": 32, "epochs": 3}]
    small = {"arch": "cnn5", "augment": "none", "input_size": 32, "stages": stages}
    return make_config({**small, "batch_size": 4, "precision": "fp32", **more})


def test_only_the_last_epochs_round_and_only_they_choose(
    sets: tuple[LoadedImages, LoadedImages], tmp_path: Path
) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "aware").mkdir()
    plain = train(settings(), *sets, tmp_path / "plain", report=lambda _: None)
    aware = train(settings(quantize_aware=1), *sets, tmp_path / "aware", report=lambda _: None)
    for epoch in (0, 1):
        one, other = dict(plain.history[epoch]), dict(aware.history[epoch])
        assert one["train_loss"] == other["train_loss"] and one["val_loss"] == other["val_loss"]
    assert plain.history[2]["train_loss"] != aware.history[2]["train_loss"]
    assert aware.best_epoch == 2
    # What is saved is an ordinary network of the same keys.
    best = load_state(tmp_path / "aware" / "best.pt")["network"]
    build_network("cnn5").load_state_dict(best)
    # Statistics stand still while rounding: those of the average at its beginning.
    norm = "features.1.running_mean"
    torch.testing.assert_close(best[norm], aware.network.state_dict()[norm])


def test_steps_through_the_view_lower_its_own_loss(
    sets: tuple[LoadedImages, LoadedImages],
) -> None:
    pixels = torch.from_numpy(np.array(sets[0].pixels)).float()
    truth = Truth.of_classes(torch.from_numpy(sets[0].labels))
    chosen = settings(label_smoothing=0.0)
    state = start_state(chosen, torch.device("cpu"))
    for _ in range(15):
        train_step(state, chosen, pixels, truth, learning_rate=1e-3)
    state.network.eval()
    state.stepped = see_as_int8(state.network, [pixels])
    losses = [train_step(state, chosen, pixels, truth, learning_rate=1e-3) for _ in range(15)]
    assert losses[-1] < 0.5 * losses[0]
