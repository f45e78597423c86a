"""`cxr-export` on a small real run: gates, card, dynamic batch, and every way it refuses."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from cxr_export.calibration_set import choose_calibration
from cxr_export.errors import ParityError
from cxr_export.export_run import export_run
from cxr_export.parity import check_fp32, check_int8
from cxr_export.quantize import convolutions, count_convolutions, nodes_from_head, run_logits
from cxr_train.checkpoint import load_run
from cxr_train.config import make_config
from cxr_train.errors import DataError
from cxr_train.fit import fit_run
from cxr_train.manifest import Example, read_data, select
from edge_infer.model.classifier import Classifier
from edge_infer.model.self_test import run_self_test
from tests.train.tiny_films import write_data

SIDE = 64


@pytest.fixture(name="run", scope="module")
def train_small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    data = write_data(folder / "data", train=12, val=12)
    config = make_config(
        {
            "name": "small",
            "arch": "cnn5",
            "augment": "none",
            "input_size": SIDE,
            "stages": [{"size": SIDE, "epochs": 12}],
            "batch_size": 16,
            "precision": "fp32",
            "patience": 12,
        }
    )
    fit_run(config, data, folder / "run", cache=folder / "cache")
    return folder / "run"


@pytest.fixture(name="model", scope="module")
def export_small_run(run: Path) -> Path:
    out = run.parent / "모델" / "small.onnx"
    out.parent.mkdir()
    export_run(run, out, cache=run.parent / "cache", fp32_too=True, version="1.2.3")
    return out


def test_the_model_reads_back_through_the_runner(model: Path, run: Path) -> None:
    classifier = Classifier.load(model)
    card = classifier.card
    assert run_self_test(classifier).ok
    assert (card.name, card.version) == ("small", "1.2.3")
    assert card.data_fingerprint == load_run(run).facts["fingerprint"]
    assert card.quantization.exempt_nodes == ("cam",)
    assert (card.quantization.int8_convolutions, card.quantization.fp32_convolutions) == (5, 1)
    assert sum(card.histograms[3].tb_score) == 12
    assert card.operating_points.refer_tb.sensitivity.value >= 0.95
    assert {metric.name for metric in card.metrics} >= {"accuracy", "macro_f1", "f1", "auroc"}
    assert not list(model.parent.glob("*.data"))


def test_int8_and_checkpoint_agree_on_films(model: Path, run: Path) -> None:
    loaded = load_run(run)
    films = np.random.default_rng(0).integers(0, 256, (5, 1, SIDE, SIDE), dtype=np.uint8)
    with torch.no_grad():
        expected = loaded.network(torch.from_numpy(films))[0].numpy()
    fp32 = run_logits(model.with_name("small.fp32.onnx"), films, batch=5)
    assert np.abs(fp32 - expected).max() < 1e-3
    for batch in (1, 2, 5):
        np.testing.assert_allclose(
            run_logits(model, films, batch=batch), run_logits(model, films, batch=1), atol=1e-5
        )


def test_logits_are_the_mean_of_cam_plus_bias_after_quantization(model: Path, run: Path) -> None:
    films = np.random.default_rng(1).integers(0, 256, (2, 1, SIDE, SIDE), dtype=np.uint8)
    output = Classifier.load(model).run(films)
    bias = load_run(run).network.bias.detach().numpy()
    np.testing.assert_allclose(output.logits, output.cam.mean(axis=(2, 3)) + bias, atol=1e-4)


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


def film(label: int, group: str, source: str = "", split: str = "val") -> Example:
    return Example(
        path=Path(group), name=group, label=label, split=split, group=group, source=source
    )


def test_gates_by_hand() -> None:
    examples = tuple(film(k % 4, str(k)) for k in range(400))
    labels = np.array([example.label for example in examples])
    fp32 = np.eye(4, dtype=np.float32)[labels] * 6
    same = check_int8(fp32, fp32.copy(), examples)
    assert same.passed and same.class_agreement == 1.0 and same.tb_missed_int8 == 0
    wrong = fp32.copy()
    wrong[3:23:4] = [6, 0, 0, 0]  # five TB films become normal: 1.25 % of all, five missed
    parity = check_int8(fp32, wrong, examples)
    assert not parity.passed
    assert parity.class_agreement == pytest.approx(1 - 5 / 400)
    assert parity.tb_missed_int8 - parity.tb_missed_fp32 == 5
    assert [gate.passed for gate in parity.gates] == [False, False, False]
    assert check_fp32(fp32, fp32 + 5e-4).passed
    assert not check_fp32(fp32, fp32 + 2e-3).passed


def test_calibration_comes_from_train_only_and_from_every_cell() -> None:
    examples = [
        film(label, f"{split}{label}{source}{k}", source, split)
        for split in ("train", "val", "test")
        for label in range(4)
        for source in ("a", "b")
        for k in range(30)
    ]
    chosen = choose_calibration(examples, count=80)
    assert {example.split for example in chosen} == {"train"}
    assert len(chosen) == len(set(chosen)) == 80
    cells = [(example.label, example.source) for example in chosen]
    assert {cells.count(cell) for cell in cells} == {10}
    assert choose_calibration(examples, count=80) == chosen
    with pytest.raises(DataError, match="no training film"):
        choose_calibration([example for example in examples if example.split == "val"])


def test_a_sabotaged_checkpoint_is_rejected(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exported graph is given other weights than the checkpoint it is compared with."""
    import cxr_export.export_run as room

    honest = room.export_onnx

    def spoil(_network: torch.nn.Module, path: Path, *, size: int) -> None:
        other = load_run(run).network
        with torch.no_grad():
            other.bias.add_(0.5)
        honest(other, path, size=size)

    monkeypatch.setattr(room, "export_onnx", spoil)
    out = tmp_path / "model.onnx"
    with pytest.raises(ParityError, match="torch against fp32 ONNX"):
        export_run(run, out, cache=run.parent / "cache")
    assert not out.exists()
    assert (tmp_path / "model.onnx.rejected").is_file()


def run_command(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cxr_export.cli", *map(str, words)],
        check=False,
        capture_output=True,
        encoding="utf-8",
    )


def test_no_images_within_reach_is_exit_3(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "run"
    shutil.copytree(run, moved)
    facts = (moved / "run.json").read_text(encoding="utf-8")
    data = load_run(run).data
    assert data is not None
    (moved / "run.json").write_text(
        facts.replace(str(data), str(tmp_path / "gone")), encoding="utf-8"
    )
    done = run_command(moved, "--out", tmp_path / "m.onnx")
    assert done.returncode == 3
    assert "never calibrated on made-up numbers" in done.stderr
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize(
    ("make_run", "out", "code"),
    [("nowhere", "m.onnx", 3), ("real", "nowhere/m.onnx", 6)],
)
def test_exit_codes(run: Path, tmp_path: Path, make_run: str, out: str, code: int) -> None:
    folder = run if make_run == "real" else tmp_path / make_run
    done = run_command(folder, "--out", tmp_path / out)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("cxr-export: ")


def test_val_films_are_all_measured(run: Path, model: Path) -> None:
    data = load_run(run).data
    assert data is not None
    val = select(read_data(data), "val")
    (overall,) = [
        metric
        for metric in Classifier.load(model).card.metrics
        if metric.name == "accuracy" and metric.source == "all"
    ]
    assert overall.n == len(val) == 48


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, cxr_export.cli; sys.exit(bool({'torch', 'onnx', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
