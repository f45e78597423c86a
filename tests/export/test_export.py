"""`cxr-export` on a small real run: what it writes, and what it refuses to release."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from cxr_export.candidates import make_int8
from cxr_export.errors import ParityError
from cxr_export.export_run import export_run
from cxr_export.quantize import open_session, quantize, run_logits
from cxr_export.to_onnx import export_onnx
from cxr_train.data.manifest import read_data, select
from cxr_train.fit.checkpoint import load_run
from edge_infer.errors import ModelError
from edge_infer.model.classifier import Classifier
from edge_infer.model.self_test import run_self_test, self_test_inputs
from tests.export.small_run import SIDE
from tests.train.tiny_films import write_data


def test_the_model_reads_back_through_the_runner(model: Path, run: Path) -> None:
    classifier = Classifier.load(model)
    card = classifier.card
    assert run_self_test(classifier).ok
    assert (card.name, card.version) == ("small", "1.2.3")
    assert card.data_fingerprint == load_run(run).facts["fingerprint"]
    assert card.quantization.exempt_nodes == ("cam",)
    assert (card.quantization.int8_convolutions, card.quantization.fp32_convolutions) == (5, 0)
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


def test_the_head_is_summed_in_double_and_rounded_once(model: Path, tmp_path: Path) -> None:
    graph = onnx.load(model)
    shown = [onnx.helper.make_empty_tensor_value_info("head_features")]
    graph.graph.output.extend(shown)
    onnx.save(graph, tmp_path / "shown.onnx")
    films = np.random.default_rng(0).integers(0, 256, (2, 1, SIDE, SIDE), dtype=np.uint8)
    session = open_session(tmp_path / "shown.onnx")
    logits, cam, features = session.run(["logits", "cam", "head_features"], {"image": films})
    weights = {one.name: onnx.numpy_helper.to_array(one) for one in graph.graph.initializer}
    head = weights["cam.weight"][:, :, 0, 0].astype(np.float64)
    assert features.dtype == np.float64
    expected = np.einsum("oc,nchw->nohw", head, features)
    np.testing.assert_array_equal(cam, expected.astype(np.float32))
    means = expected.mean(axis=(2, 3)) + weights["bias"].astype(np.float64)
    np.testing.assert_array_equal(logits, means.astype(np.float32))


def test_logits_are_the_mean_of_cam_plus_bias_after_quantization(model: Path, run: Path) -> None:
    films = np.random.default_rng(1).integers(0, 256, (2, 1, SIDE, SIDE), dtype=np.uint8)
    output = Classifier.load(model).run(films)
    bias = load_run(run).network.bias.detach().numpy()
    np.testing.assert_allclose(output.logits, output.cam.mean(axis=(2, 3)) + bias, atol=1e-4)


def test_no_model_file_tells_paths_of_the_machine_it_was_made_on(model: Path) -> None:
    """The exporter notes a stack trace, with source paths, on every node."""
    for path in (model, model.with_name("small.fp32.onnx")):
        data = path.read_bytes()
        assert b'.py"' not in data and b"stack_trace" not in data
        for place in (Path(torch.__file__).parent, Path.cwd(), model.parent):
            assert str(place).encode() not in data


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


def test_films_that_cannot_be_read_are_named(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_data(tmp_path / "data", train=12, val=12)
    spoilt = next(iter(sorted((data / "val" / "normal").iterdir())))
    spoilt.write_bytes(b"no film")
    export_run(run, tmp_path / "m.onnx", data=data, cache=tmp_path / "cache")
    assert f"not used: {spoilt}" in capsys.readouterr().err
    card = Classifier.load(tmp_path / "m.onnx").card
    assert {m.n for m in card.metrics if m.name == "accuracy" and m.source == "all"} == {47}


@pytest.mark.slow
def test_every_method_is_tried_then_layers_are_exempted(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Quantized logits are pushed off until two layers are exempt: that candidate must win."""

    def push(prepared: Path, int8: Path, pixels: object, **options: object) -> None:
        quantize(prepared, int8, pixels, **options)  # type: ignore[arg-type]
        if len(options["exempt"]) < 2:  # type: ignore[arg-type]
            broken = onnx.load(int8)
            (bias,) = (t for t in broken.graph.initializer if list(t.dims) == [4])
            values = np.array([9, 0, 0, 0], dtype=np.float32)
            bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
            onnx.save(broken, int8)

    monkeypatch.setattr("cxr_export.candidates.quantize", push)
    out = tmp_path / "m.onnx"
    export_run(run, out, cache=run.parent / "cache")
    card = Classifier.load(out).card
    assert len(card.quantization.exempt_nodes) == 3 and card.quantization.exempt_nodes[0] == "cam"
    assert card.quantization.fp32_convolutions == 2
    printed = capsys.readouterr()
    for words in ("MinMax, 0", "Percentile, 0", "Entropy, 0", "1 exempt", "2 exempt"):
        assert words in printed.err
    assert "exempting the worst layers" in printed.err
    assert ", ".join(card.quantization.exempt_nodes[1:]) in printed.out


def test_a_quick_export_refines_only_what_does_not_pass(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.onnx"
    export_run(run, out, cache=run.parent / "cache", quick=True)
    said = capsys.readouterr()
    assert "biases corrected" not in said.err and "films that changed class" in said.out
    assert Classifier.load(out).card.quantization.method.endswith("MinMax")

    def change_class(prepared: Path, int8: Path, *words: object, **options: object) -> None:
        """Push the model that is tried first off; refine makes its own."""
        make_int8(prepared, int8, *words, **options)  # type: ignore[arg-type]
        pushed = onnx.load(int8)
        (bias,) = (t for t in pushed.graph.initializer if t.name == "bias")
        values = np.array([9, 0, 0, 0], dtype=np.float32)
        bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
        onnx.save(pushed, int8)

    monkeypatch.setattr("cxr_export.candidates.make_int8", change_class)
    export_run(run, out, cache=run.parent / "cache", quick=True)
    assert "biases corrected" in capsys.readouterr().err
    # And where refined it does not pass either, no more is tried, and that is said.
    monkeypatch.setattr("cxr_export.refine.make_int8", change_class)
    with pytest.raises(ParityError, match="without --quick tries more"):
        export_run(run, out, cache=run.parent / "cache", quick=True)
    assert "exempting" not in capsys.readouterr().err


def test_a_sabotaged_checkpoint_is_rejected(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exported graph is given other weights than the checkpoint it is compared with."""

    def spoil(_network: torch.nn.Module, path: Path, *, size: int) -> None:
        other = load_run(run).network
        with torch.no_grad():
            other.bias.add_(0.5)
        export_onnx(other, path, size=size)

    monkeypatch.setattr("cxr_export.export_run.export_onnx", spoil)
    monkeypatch.setattr("cxr_export.known_graph._known", {})
    out = tmp_path / "model.onnx"
    with pytest.raises(ParityError, match="torch against fp32 ONNX"):
        export_run(run, out, cache=run.parent / "cache")
    assert not out.exists()
    rejected = tmp_path / "model.onnx.rejected"
    renamed = rejected.rename(tmp_path / "renamed.onnx")
    with pytest.raises(ModelError, match=r"rejected by cxr-export.*torch against fp32 ONNX"):
        Classifier.load(renamed)


def test_a_model_that_reads_back_otherwise_is_rejected_too(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even the last check, after the card is written, leaves `.rejected` and no model."""
    others = "cxr_export.export_run.self_test_inputs"
    monkeypatch.setattr(others, lambda h, w: 255 - self_test_inputs(h, w))
    out = tmp_path / "m.onnx"
    with pytest.raises(ParityError, match="does not read back"):
        export_run(run, out, cache=run.parent / "cache")
    assert not out.exists()
    assert (tmp_path / "m.onnx.rejected").is_file()
    monkeypatch.undo()
    export_run(run, out, cache=run.parent / "cache")
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
