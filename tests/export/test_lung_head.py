"""A lung head in a released model: what its graph computes and keeps, the whole way to rows."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from cxr_export.errors import ParityError
from cxr_export.gate_graph import export_gate
from cxr_export.lung_head_graph import LungHead, add_lung_head
from cxr_export.lung_head_run import export_lung_head
from cxr_train.errors import ConfigError, DataError
from cxr_train.fit.standardize import standardize
from cxr_train.gate.head import GateHead
from cxr_train.gate.pictures import GateConfig
from cxr_train.gate.taps import TappedNetwork
from cxr_train.int8_layers import open_with_layers
from cxr_train.lung_head.layer import LungHeadConfig, choose_layer, find_places
from cxr_train.lung_head.prepare_input import prepare_input
from cxr_train.lung_head.run import HEAD_FILE, WEIGHTS_FILE, lung_head_run
from edge_infer.model.classifier import Classifier
from edge_infer.model.model_card import CLASSES
from edge_infer.model.model_file import load_model_file
from edge_infer.model.self_test import run_self_test
from tests.export.small_run import SIDE, run_command, run_python
from tests.export.untrained_gate import write_untrained_gate

CONFIG = LungHeadConfig(
    floor=0.7, strongest_share=0.2, head=0.3, tuberculosis=0.5, abnormal=0.4, outside_costs=3.0
)
Maps = NDArray[np.float64]


def initializer(model: onnx.ModelProto, name: str) -> NDArray[np.float32]:
    found = next(one for one in model.graph.initializer if one.name == name)
    return np.asarray(numpy_helper.to_array(found))


@pytest.fixture(name="head", scope="module")
def make_head(model: Path) -> LungHead:
    """Return a layer that nobody taught."""
    layer = choose_layer(onnx.load(model))
    random = np.random.default_rng(3)
    weights = random.normal(0, 0.02, layer.channels).astype(np.float32)
    return LungHead(layer=layer, weights=weights, bias=-0.4, config=CONFIG)


def with_head(model: Path, head: LungHead, out: Path) -> onnx.ModelProto:
    graph = onnx.load(model)
    add_lung_head(graph, head, CLASSES)
    onnx.save(graph, out)
    return graph


def films(count: int = 6) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 1, SIDE, SIDE), dtype=np.uint8)


def run(path: Path, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    logits, cam = session.run(["logits", "cam"], {"image": images})
    return logits, cam


def enlarge(maps: NDArray[np.float32]) -> Maps:
    """Enlarge [N, K, h, w] twice as OpenCV does: another's bilinear interpolation."""
    side = 2 * maps.shape[-1]
    return np.array(
        [
            [cv2.resize(one.astype(np.float64), (side, side), interpolation=cv2.INTER_LINEAR)
             for one in film]
            for film in maps
        ]
    )  # fmt: skip


def expected(model: Path, head: LungHead, images: NDArray[np.uint8]) -> tuple[Maps, Maps]:
    """Compute logits and maps from the layer and the maps before, as the docstring says them."""
    graph, config = onnx.load(model), head.config
    session = open_with_layers(graph, [head.layer.name])
    layer = np.concatenate(
        [session.run([head.layer.name], {"image": one[None]})[0] for one in images]
    )
    lung = np.clip(0.5 + find_places(layer, head.weights, head.bias) / 4, 0, 1)
    maps = enlarge(run(model, images)[1])
    bias = initializer(graph, "bias").astype(np.float64)
    biased = maps + bias[:, None, None]
    share = (lung + config.floor) / (lung + config.floor).mean((1, 2), keepdims=True)
    there = np.clip(lung.mean((1, 2)) / config.least_lung - 1, 0, 1)[:, None, None, None]
    shown = maps[:, :4] * share[:, None] * there
    normal, pneumonia, covid, tb = (biased[:, index] for index in range(4))
    evidence = config.tuberculosis * (tb - np.maximum.reduce([normal, pneumonia, covid]))
    evidence += config.abnormal * (np.maximum.reduce([pneumonia, covid, tb]) - normal)
    if len(bias) > 4:
        evidence += config.head * biased[:, 4]
    sought = (evidence - config.outside_costs * (1 - lung)).reshape(len(images), -1)
    count = round(config.strongest_share * sought.shape[1])
    chosen = np.argsort(-sought, axis=1)[:, :count]
    flat = evidence.reshape(len(images), -1)
    referral = np.take_along_axis(flat, chosen, axis=1).mean(axis=1)
    logits = np.concatenate([shown.mean((2, 3)) + bias[:4], referral[:, None]], axis=1)
    return logits, shown


def test_the_graph_computes_what_its_docstring_says(
    model: Path, head: LungHead, tmp_path: Path
) -> None:
    with_head(model, head, tmp_path / "lungs.onnx")
    logits, cam = run(tmp_path / "lungs.onnx", films())
    wanted, shown = expected(model, head, films())
    np.testing.assert_allclose(logits, wanted, rtol=0, atol=2e-5)
    np.testing.assert_allclose(cam[:, :4], shown, rtol=0, atol=2e-5)
    assert np.abs(wanted).max() > 0.1 and np.ptp(wanted[:, 4]) > 0.01


def test_every_logit_is_the_mean_of_its_map_plus_its_bias(
    model: Path, head: LungHead, tmp_path: Path
) -> None:
    graph = with_head(model, head, tmp_path / "lungs.onnx")
    logits, cam = run(tmp_path / "lungs.onnx", films())
    bias = np.append(initializer(graph, "bias")[:4], 0)
    np.testing.assert_allclose(logits, cam.mean((2, 3)) + bias, rtol=0, atol=1e-5)
    assert cam.shape == (6, 5, head.layer.side, head.layer.side)


def test_the_referral_map_shows_the_strongest_places_alone(
    model: Path, head: LungHead, tmp_path: Path
) -> None:
    with_head(model, head, tmp_path / "lungs.onnx")
    cam = run(tmp_path / "lungs.onnx", films())[1]
    places = round(CONFIG.strongest_share * head.layer.side**2)
    assert [(one != 0).sum() for one in cam[:, 4]] == [places] * 6


def test_where_no_lungs_are_found_nothing_is_said_of_the_classes(
    model: Path, head: LungHead, tmp_path: Path
) -> None:
    blind = dataclasses.replace(head, weights=0 * head.weights, bias=-9.0)
    graph = with_head(model, blind, tmp_path / "blind.onnx")
    logits, cam = run(tmp_path / "blind.onnx", films())
    assert not cam[:, :4].any()
    np.testing.assert_allclose(logits[:, :4], np.tile(initializer(graph, "bias")[:4], (6, 1)))
    assert np.ptp(logits[:, 4]) > 0.01, "the referral logit must not be silent there"


def test_a_head_goes_in_once_only(model: Path, head: LungHead, tmp_path: Path) -> None:
    graph = with_head(model, head, tmp_path / "lungs.onnx")
    with pytest.raises(ParityError, match="only once"):
        add_lung_head(graph, head, CLASSES)


def prepared_films(model: Path, folder: Path, *, smooth: float, standardize: bool) -> np.ndarray:
    """Return what the network of `model` sees of two films, [2, 1, H, W], once it is prepared."""
    graph = onnx.load(model)
    prepare_input(graph, smooth=smooth, standardize=standardize)
    first = next(node for node in graph.graph.node if node.op_type == "Cast")
    seen = [node for node in graph.graph.node if node.name.startswith("prepare_")][-1].output[0]
    assert first.output[0] != seen
    del graph.graph.output[:]
    graph.graph.output.append(onnx.helper.make_tensor_value_info(seen, 1, None))
    onnx.save(graph, folder / "prepared.onnx")
    session = onnxruntime.InferenceSession(
        folder / "prepared.onnx", providers=["CPUExecutionProvider"]
    )
    (prepared,) = session.run(None, {"image": films(2)})
    with pytest.raises(ConfigError, match="only once"):
        prepare_input(graph, smooth=smooth, standardize=standardize)
    return np.asarray(prepared)


def smoothed(film: np.ndarray) -> np.ndarray:
    kernel = np.outer([0.25, 0.5, 0.25], [0.25, 0.5, 0.25])
    return np.asarray(
        cv2.filter2D(film.astype(np.float64), -1, kernel, borderType=cv2.BORDER_REPLICATE)
    )


def test_smoothing_is_a_weighted_mean_of_neighbours(model: Path, tmp_path: Path) -> None:
    soft = prepared_films(model, tmp_path, smooth=0.25, standardize=False)
    for one, film in zip(soft, films(2), strict=True):
        np.testing.assert_array_equal(one[0], smoothed(film[0]))


@pytest.mark.parametrize("smooth", [0.0, 0.25])
def test_the_graph_standardizes_as_a_training_does(
    model: Path, tmp_path: Path, smooth: float
) -> None:
    found = prepared_films(model, tmp_path, smooth=smooth, standardize=True)
    soft = np.stack([smoothed(film[0])[None] if smooth else film for film in films(2)])
    wanted = standardize(torch.from_numpy(soft).float()).numpy()
    np.testing.assert_array_equal(found, wanted)
    assert np.abs(wanted - soft).mean() > 1


# The whole way, on films with a mask each: what is bright in the upper half is called lung.


@pytest.fixture(name="masks", scope="module")
def make_masks(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("masks")
    lines = ["film,mask"]
    mask = np.zeros((160, 160), np.uint8)
    mask[:90] = 255
    cv2.imwrite(str(folder / "mask.png"), mask)
    data = run.parent / "data"
    lines += [f"{film.relative_to(data).as_posix()},mask.png" for film in data.rglob("*.png")]
    (folder / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(name="taught", scope="module")
def make_taught(
    run: Path, model: Path, masks: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("taught") / "폐"
    lung_head_run(model, run.parent / "data", out, lungs=masks, cache=run.parent / "cache")
    return out


def export(taught: Path, model: Path, out: Path, run: Path) -> Path:
    export_lung_head(
        taught,
        model,
        out,
        name="lungs",
        version="2.0.0",
        target_sensitivity=0.95,
        cache=run.parent / "cache",
    )
    return out


def test_the_upper_half_is_found(taught: Path) -> None:
    facts = json.loads((taught / HEAD_FILE).read_text(encoding="utf-8"))
    (told,) = re.findall(r"unnamed source ([\d.]+) \(48\)", facts["statement"])
    # To call every place lung would give 0.72.
    assert float(told) > 0.8 and facts["films"] == 48


def test_the_card_is_measured_anew_and_says_what_the_score_is(
    taught: Path, model: Path, run: Path, tmp_path: Path
) -> None:
    written = Classifier.load(export(taught, model, tmp_path / "out.onnx", run))
    old, new = load_model_file(model).card, written.card
    assert run_self_test(written).ok
    assert (new.name, new.version) == ("lungs", "2.0.0")
    assert new.referral is not None and (new.referral.head, new.referral.map) == (1, "referral")
    assert "strongest 5 % of the places" in new.referral.statement
    assert new.lung_head.startswith("Where the lungs are was learnt from 48 training films")
    changed = {
        field.name
        for field in dataclasses.fields(new)
        if getattr(old, field.name) != getattr(new, field.name)
    }
    kept = {"classes", "input", "recipe", "data_statement", "quantization", "modalities", "gate"}
    assert not changed & kept and {"histograms", "self_test", "operating_points"} <= changed


def test_rows_come_of_it_and_the_figures_are_those_of_the_card(
    taught: Path, model: Path, run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.onnx"
    words = (taught, "--model", model, "--out", out, "--cache", run.parent / "cache")
    done = run_command(*words, "--referral-score=0.75,0,0.25,0", "--referral-map", "referral")
    assert done.returncode == 0, done.stderr
    screened = run_python(
        "from edge_infer.commands.infer import main\nmain()",
        run.parent / "data" / "val", "--model", out, "--out", tmp_path / "lists",
    )  # fmt: skip
    assert screened.returncode == 0, screened.stderr
    lines = (tmp_path / "lists" / "worklist.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 49
    referred = sum(line.split(",")[3] == "refer_tb" for line in lines[1:])
    point = load_model_file(out).card.operating_points.refer_tb
    found = point.sensitivity.value * point.n_positive
    false = (1 - point.specificity.value) * point.n_negative
    assert referred == round(found + false)


def test_a_gate_stays_to_the_bit_unless_the_input_is_prepared(
    taught: Path, model: Path, run: Path, tmp_path: Path
) -> None:
    gated = add_untrained_gate(model, tmp_path)
    facts = json.loads((taught / HEAD_FILE).read_text(encoding="utf-8"))
    facts["model"]["sha256"] = load_model_file(gated).sha256
    for number, (smooth, standard) in enumerate(((0.0, False), (0.125, False), (0.0, True))):
        again = tmp_path / f"taught {number}"
        again.mkdir()
        (again / WEIGHTS_FILE).write_bytes((taught / WEIGHTS_FILE).read_bytes())
        facts["settings"] |= {"smooth": smooth, "standardize": standard}
        (again / HEAD_FILE).write_text(json.dumps(facts), encoding="utf-8")
        written = Classifier.load(export(again, gated, tmp_path / f"{number}.onnx", run))
        before, after = Classifier.load(gated).run(films()).gate, written.run(films()).gate
        said = written.card.lung_head or ""
        assert ("smoothed" in said, "in its middle" in said) == (smooth > 0, standard)
        if number:
            assert after is None and written.card.gate is None
        else:
            assert before is not None and after is not None
            np.testing.assert_array_equal(before, after)


def add_untrained_gate(model: Path, folder: Path) -> Path:
    taps = TappedNetwork.open(model).taps
    gate = folder / "gate"
    gate.mkdir()
    head = GateHead(taps, GateConfig(planes=3, hidden=4))
    write_untrained_gate(gate, model, taps, head)
    export_gate(gate, model, folder / "gated.onnx", name=None, version="1")
    return folder / "gated.onnx"


def test_a_head_of_another_model_or_half_of_one_is_refused(
    taught: Path, model: Path, run: Path, tmp_path: Path
) -> None:
    other = export(taught, model, tmp_path / "out.onnx", run)
    with pytest.raises(DataError, match="another file"):
        export(taught, other, tmp_path / "again.onnx", run)
    (tmp_path / HEAD_FILE).write_bytes((taught / HEAD_FILE).read_bytes())
    with pytest.raises(DataError, match="no finished lung head"):
        export(tmp_path, model, tmp_path / "again.onnx", run)
    assert not (tmp_path / "again.onnx").exists()


def test_too_few_masks_are_refused(run: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("film,mask\ntrain/none.png,m.png", encoding="utf-8")
    with pytest.raises(DataError, match="Only 0 training films"):
        lung_head_run(model, run.parent / "data", tmp_path / "out", lungs=tmp_path)
