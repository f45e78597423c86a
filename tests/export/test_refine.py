"""Before rounding: the same function after equalisation, right means after bias correction."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from cxr_export.candidates import make_int8
from cxr_export.equalise import correct_biases, equalise
from cxr_export.quantize import Method, prepare_for_quantization, run_logits
from cxr_export.refine import decibels, find_tensors, put_weights, refine
from cxr_export.to_onnx import export_onnx
from cxr_train.fit.efficientnet_lite import Residual, SamePad
from cxr_train.fit.network import CamNetwork
from cxr_train.fit.quantize_aware import rounded_activations, see_as_int8

SIDE = 32


def layers(
    before: int, after: int, size: int, *, depthwise: bool = False, clip: bool = True
) -> list[nn.Module]:
    groups = after if depthwise else 1
    convolution = nn.Conv2d(before, after, size, padding=size // 2, groups=groups, bias=False)
    norm = nn.BatchNorm2d(after)
    nn.init.uniform_(norm.weight, 0.02, 2.0)  # channels of unlike ranges, as in trained networks
    nn.init.normal_(norm.bias, 0.2, 0.2)
    return [convolution, norm, *([nn.ReLU6()] if clip else [])]


def make_network() -> CamNetwork:
    """Return a stem, a strided block and a residual block as EfficientNet-Lite has them."""
    torch.manual_seed(3)
    stem = layers(1, 8, 3)
    depthwise = layers(24, 24, 3, depthwise=True)
    depthwise[0] = nn.Conv2d(24, 24, 3, stride=2, groups=24, bias=False)
    strided = nn.Sequential(
        *layers(8, 24, 1), SamePad(3, 2), *depthwise, *layers(24, 8, 1, clip=False)
    )
    body = [*layers(8, 24, 1), *layers(24, 24, 3, depthwise=True), *layers(24, 8, 1, clip=False)]
    features = nn.Sequential(*stem, strided, Residual(nn.Sequential(*body)), *layers(8, 16, 1))
    network = CamNetwork(features, 16, outputs=5)
    nn.init.normal_(network.cam.weight, 0, 0.5)
    network.train()
    with torch.no_grad():  # statistics of its own
        for _ in range(40):
            network(torch.cat(films()))
    return network.eval()


def films() -> list[Tensor]:
    random = np.random.default_rng(4)
    smooth = np.cumsum(random.normal(0, 12, (32, 1, SIDE, SIDE)), axis=3) + 128
    pixels = torch.from_numpy(smooth.clip(0, 255).astype(np.uint8)).float()
    return list(torch.split(pixels, 16))


@pytest.fixture(name="network", scope="module")
def give_network() -> CamNetwork:
    return make_network()


@pytest.fixture(name="prepared", scope="module")
def prepare(network: CamNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refine")
    export_onnx(network, folder / "fp32.onnx", size=SIDE)
    prepare_for_quantization(folder / "fp32.onnx", folder / "prepared.onnx")
    return folder / "prepared.onnx"


def pixels() -> NDArray[np.uint8]:
    return np.asarray(torch.cat(films()).byte().numpy())


def logits(network: CamNetwork) -> Tensor:
    with torch.no_grad():
        found: Tensor = network(torch.cat(films()))[0]
    return found


def test_equalised_is_the_same_function_with_other_weights(network: CamNetwork) -> None:
    changed = deepcopy(network)
    equalise(changed, films())
    torch.testing.assert_close(logits(changed), logits(network), rtol=1e-4, atol=1e-4)
    before, after = network.state_dict(), changed.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    # Norms before and convolutions after each of the four activations in the two blocks, of which
    # one side is depthwise; nothing of the stem, the sums and the head.
    assert moved == {
        *(f"features.3.{n}" for n in ("1.weight", "1.bias", "4.weight")),
        *(f"features.3.{n}" for n in ("5.weight", "5.bias", "7.weight")),
        *(f"features.4.body.{n}" for n in ("1.weight", "1.bias", "3.weight")),
        *(f"features.4.body.{n}" for n in ("4.weight", "4.bias", "6.weight")),
    }


def test_corrected_biases_bring_means_back(network: CamNetwork) -> None:
    wanted = logits(network)
    changed = deepcopy(network)
    correct_biases(changed, films())

    def error(of: CamNetwork) -> float:
        return float((logits(see_as_int8(of, films())) - wanted).mean(dim=0).abs().max())

    assert error(changed) < 0.3 * error(network)


def test_every_rounded_place_is_a_quantizer_of_the_file(
    network: CamNetwork, prepared: Path, tmp_path: Path
) -> None:
    view = see_as_int8(network, films())
    names = find_tensors(onnx.load(prepared))
    ranges = {
        names[place.name]: (float(place.low), float(place.high))
        for place in rounded_activations(view)
    }
    int8 = tmp_path / "int8.onnx"
    make_int8(prepared, int8, pixels(), method=Method.LEAST_ERROR, ranges=ranges)
    graph = onnx.load(int8).graph
    assert sum(node.op_type == "QuantizeLinear" for node in graph.node) == len(ranges) == 10
    # The training's arithmetic is the file's: what is left between them is small beside what
    # rounding does.
    plain, seen = logits(network).numpy(), logits(view).numpy()
    real = run_logits(int8, pixels())
    assert decibels(real, seen) > decibels(plain, seen) + 6


def test_depthwise_weights_have_eight_bits_and_all_others_seven(
    prepared: Path, tmp_path: Path
) -> None:
    for bits, steps in ((8, {64, 127}), (7, {64})):
        int8 = tmp_path / "int8.onnx"
        make_int8(prepared, int8, pixels(), method=Method.MINMAX, depthwise_bits=bits)
        weights = {
            one.name: np.abs(numpy_helper.to_array(one).astype(int))
            for one in onnx.load(int8).graph.initializer
            if one.data_type == onnx.TensorProto.INT8 and len(one.dims) == 4
        }
        assert {int(one.max()) for one in weights.values()} == steps
        if bits == 8:
            assert {name for name, one in weights.items() if one.max() == 127} == {
                "features.3.4.weight_quantized",
                "features.4.body.3.weight_quantized",
            }


def test_a_channel_without_weights_keeps_its_bias(network: CamNetwork, tmp_path: Path) -> None:
    dead = deepcopy(network)
    with torch.no_grad():
        first = dead.features[3][0]  # type: ignore[index]
        first.weight[0] = 1e-30  # below it a bias in steps of the weight's scale has no int32
        first.weight[1] = 0
    fp32, ready, int8 = (tmp_path / name for name in ("fp32.onnx", "ready.onnx", "int8.onnx"))
    export_onnx(dead, fp32, size=SIDE)
    prepare_for_quantization(fp32, ready)
    make_int8(ready, int8, pixels(), method=Method.MINMAX)
    assert decibels(run_logits(fp32, pixels()), run_logits(int8, pixels())) > 15


def test_weights_put_into_the_graph_are_those_of_the_network(
    network: CamNetwork, prepared: Path, tmp_path: Path
) -> None:
    changed = deepcopy(network)
    with torch.no_grad():
        changed.features[4].body[3].weight.mul_(1.5)  # type: ignore[index]
        changed.features[1].bias.add_(0.1)  # type: ignore[index]
    graph = onnx.load(prepared)
    put_weights(graph, changed)
    onnx.save(graph, tmp_path / "changed.onnx")
    got = run_logits(tmp_path / "changed.onnx", pixels())
    np.testing.assert_allclose(got, logits(changed).numpy(), rtol=1e-3, atol=1e-3)


def test_steps_are_logged_and_kept_only_where_they_help(
    network: CamNetwork, prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refined = refine(network, prepared, tmp_path, pixels())
    said = capsys.readouterr()
    assert said.out == ""
    verdicts = [line.split(": ")[1] for line in said.err.splitlines() if line.startswith("  ")]
    gains = [float(line.split()[0]) for line in said.err.splitlines() if line.startswith("  ")]
    assert len(verdicts) == 3 and verdicts.count("kept") == len(refined.steps) + (
        refined.ranges is not None
    )
    for gain, verdict in zip(gains, verdicts, strict=True):
        assert (verdict == "kept") == (gain >= 0.2) or gain == pytest.approx(0.2, abs=0.051)
    again = tmp_path / "again.onnx"
    method = Method.MINMAX if refined.ranges is None else Method.LEAST_ERROR
    make_int8(refined.prepared, again, pixels(), method=method, ranges=refined.ranges)
    wanted = run_logits(prepared, pixels())
    assert decibels(wanted, run_logits(again, pixels())) == pytest.approx(refined.decibels)


def test_a_network_trained_as_int8_keeps_its_weights_and_ranges(
    network: CamNetwork, prepared: Path, tmp_path: Path
) -> None:
    found = refine(network, prepared, tmp_path, pixels(), trained_as_int8=True)
    assert found.prepared == prepared and found.steps == () and found.ranges is not None
    view = see_as_int8(network, films())
    names = find_tensors(onnx.load(prepared))
    assert found.ranges.keys() == {names[place.name] for place in rounded_activations(view)}
