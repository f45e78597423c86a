"""The loop: it learns, its step is AdamW's by hand, and a resume equals no interruption."""

from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cxr_train.config import TrainConfig, make_config
from cxr_train.data.dataset import LoadedImages, load_images
from cxr_train.data.manifest import Example, read_data, select
from cxr_train.errors import ConfigError, DataError
from cxr_train.fit.checkpoint import load_run, load_state
from cxr_train.fit.loop import EpochRecord, Step, predict, train, train_step
from cxr_train.fit.objectives import Truth
from cxr_train.fit.pace import STEPS_WORTH_COMPILING, choose_format, learning_rate, uses_compile
from cxr_train.fit.release import plan_release
from cxr_train.fit.run import fit_run
from cxr_train.fit.state import start_state
from tests.train.tiny_films import write_data

CPU = torch.device("cpu")


def config(**settings: Any) -> TrainConfig:
    defaults: dict[str, Any] = {
        "arch": "cnn5",
        "augment": "none",
        "input_size": 32,
        "stages": [{"size": 32, "epochs": 3}],
        "batch_size": 8,
        "precision": "fp32",
        "label_smoothing": 0.0,
        "warmup_epochs": 0.0,
    }
    return make_config(defaults | settings)


@pytest.fixture(name="films")
def load_films(tmp_path: Path) -> tuple[LoadedImages, LoadedImages]:
    examples = read_data(write_data(tmp_path / "data"))
    return tuple(  # type: ignore[return-value]
        load_images(select(examples, split), height=32, width=32, cache=tmp_path / "cache")
        for split in ("train", "val")
    )


def test_overfits_eight_films(films: tuple[LoadedImages, LoadedImages]) -> None:
    train_set, _ = films
    eight = np.arange(0, 16, 2)
    pixels = torch.from_numpy(np.array(train_set.pixels[eight])).float()
    labels = torch.from_numpy(train_set.labels[eight])
    settings = config(learning_rate=2e-3)
    state = start_state(settings, CPU)
    losses = [
        train_step(state, settings, pixels, Truth.of_classes(labels), learning_rate=2e-3)
        for _ in range(40)
    ]
    assert losses[0] > 1 and losses[-1] < 0.02
    predicted = predict(state.network, train_set.pixels[eight], size=32, device=CPU)
    np.testing.assert_array_equal(predicted.argmax(axis=1), labels)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("clip", [0.0, 0.05])
def test_two_steps_are_adamw_by_hand(
    films: tuple[LoadedImages, LoadedImages], precision: str, clip: float
) -> None:
    train_set, _ = films
    pixels = torch.from_numpy(np.array(train_set.pixels)).float()
    labels = torch.from_numpy(train_set.labels)
    settings = config(precision=precision, gradient_clip=clip, weight_decay=0.1)
    state = start_state(settings, CPU)
    weight = state.network.cam.weight
    expected = weight.detach().double().clone()
    first, second = torch.zeros_like(expected), torch.zeros_like(expected)
    norms = []
    for step in (1, 2):
        gradient, norm = gradient_of(state.network, pixels, labels, precision)
        norms.append(norm)
        scale = min(1.0, clip / (norm + 1e-6)) if clip else 1.0
        gradient = gradient.double() * scale
        rate = 0.01 / step
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        expected *= 1 - rate * 0.1
        expected -= rate * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
        train_step(state, settings, pixels, Truth.of_classes(labels), learning_rate=rate)
    assert clip == 0.0 or max(norms) > clip
    torch.testing.assert_close(weight.detach().double(), expected, rtol=1e-4, atol=1e-6)


def gradient_of(
    network: torch.nn.Module, pixels: torch.Tensor, labels: torch.Tensor, precision: str
) -> tuple[torch.Tensor, float]:
    """Return the head's gradient and the norm of all gradients, computed on a copy."""
    copy = deepcopy(network)
    copy.zero_grad()
    batch = pixels.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        loss = F.cross_entropy(copy(batch)[0].float(), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.sqrt(sum((p.grad**2).sum() for p in copy.parameters()))  # type: ignore
    return copy.cam.weight.grad, float(norm)  # type: ignore


class Stopped(Exception):
    """Stands for a power cut after an epoch."""


@pytest.mark.parametrize("quantize_aware", [0, 2, 3])
def test_resume_equals_uninterrupted(
    films: tuple[LoadedImages, LoadedImages], tmp_path: Path, quantize_aware: int
) -> None:
    settings = config(augment="strong", batch_size=4, quantize_aware=quantize_aware)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    train(settings, *films, whole, report=lambda _: None)

    def stop(record: EpochRecord) -> None:
        if record.epoch == 0:
            raise Stopped

    with pytest.raises(Stopped):
        train(settings, *films, parts, report=stop)
    train(settings, *films, parts, resume=True, report=lambda _: None)
    one, other = load_state(whole / "last.pt"), load_state(parts / "last.pt")
    assert one["epoch"] == other["epoch"] == 3
    for part in ("network", "average"):
        for key, value in one[part].items():
            assert torch.equal(value, other[part][key]), (part, key)


def test_resume_with_other_settings_is_refused(
    films: tuple[LoadedImages, LoadedImages], tmp_path: Path
) -> None:
    train(config(), *films, tmp_path, report=lambda _: None)
    with pytest.raises(DataError, match="another learning_rate"):
        train(config(learning_rate=0.5), *films, tmp_path, resume=True, report=lambda _: None)


def test_an_older_checkpoint_resumes_and_compile_may_change(
    films: tuple[LoadedImages, LoadedImages], tmp_path: Path
) -> None:
    train(config(compile="off"), *films, tmp_path, report=lambda _: None)
    assert train(config(), *films, tmp_path, resume=True, report=lambda _: None).epoch == 3
    saved = load_state(tmp_path / "last.pt")
    for key in ("compile", "keep_start"):
        del saved["config"][key]
    torch.save(saved, tmp_path / "last.pt")
    assert train(config(), *films, tmp_path, resume=True, report=lambda _: None).epoch == 3
    with pytest.raises(DataError, match="another keep_start"):
        train(config(keep_start=0.5), *films, tmp_path, resume=True, report=lambda _: None)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++ on the CPU")
def test_compiled_steps_train_the_same_network_under_the_same_names(
    films: tuple[LoadedImages, LoadedImages], tmp_path: Path
) -> None:
    for name in ("on", "off"):
        (tmp_path / name).mkdir()
        train(config(compile=name), *films, tmp_path / name, report=lambda _: None)
    on, off = (load_state(tmp_path / name / "last.pt") for name in ("on", "off"))
    assert list(on["network"]) == list(off["network"])
    assert list(on["average"]) == list(off["average"])
    for key, value in off["network"].items():
        torch.testing.assert_close(on["network"][key], value, rtol=0.05, atol=5e-3)
    more = config(compile="off")
    assert train(more, *films, tmp_path / "on", resume=True, report=lambda _: None).epoch == 3


def test_compile_is_automatic_only_where_it_can_pay() -> None:
    assert uses_compile(config(compile="on"), steps=1, processes=1)
    assert not uses_compile(config(compile="off"), steps=10**6, processes=1)
    assert not uses_compile(config(), steps=STEPS_WORTH_COMPILING - 1, processes=1)
    assert not uses_compile(config(), steps=10**6, processes=2)
    with pytest.raises(ConfigError, match="compile: auto, on or off"):
        config(compile="yes")


class FakeGpu:
    """What torch.cuda says on a GPU that computes bf16 itself, or only emulates it."""

    def __init__(self, *, native: bool) -> None:
        self._native = native

    def is_available(self) -> bool:
        return True

    def get_device_name(self) -> str:
        return "Tesla T4"

    def is_bf16_supported(self, including_emulation: bool = True) -> bool:
        return self._native or including_emulation


def test_a_gpu_that_only_emulates_bf16_trains_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    for native, precision in ((False, "fp32"), (True, "bf16")):
        monkeypatch.setattr(torch, "cuda", FakeGpu(native=native))
        assert choose_format(config(precision="auto")).precision == precision
    monkeypatch.setattr(torch, "cuda", FakeGpu(native=False))
    told = str(choose_format(config(precision="auto")))
    assert told == "Tesla T4, fp32: only emulates bf16"
    assert choose_format(config(precision="bf16")).precision == "bf16"


def test_every_step_is_told(films: tuple[LoadedImages, LoadedImages], tmp_path: Path) -> None:
    told: list[Step] = []
    settings = config(stages=[{"size": 32, "epochs": 2}], batch_size=4, samples_per_epoch=12)
    train(settings, *films, tmp_path, report=lambda _: None, watch=told.append)
    assert [(one.epoch, one.step, one.steps, one.films) for one in told] == [
        (epoch, step, 3, 4 * step) for epoch in range(2) for step in (1, 2, 3)
    ]
    assert all(float(one.loss) > 0 for one in told)


def test_learning_rate_warms_up_and_falls_to_a_hundredth() -> None:
    settings = config(warmup_epochs=1.0, learning_rate=1.0)
    rates = [learning_rate(settings, step, steps_per_epoch=10) for step in range(31)]
    assert rates[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert rates[9] == pytest.approx(1.0)
    assert rates[20] == pytest.approx(0.505)
    assert rates[30] == pytest.approx(0.01)


def test_stops_when_validation_stops_rising(
    films: tuple[LoadedImages, LoadedImages], tmp_path: Path
) -> None:
    settings = config(stages=[{"size": 32, "epochs": 30}], patience=1, learning_rate=1e-9)
    state = train(settings, *films, tmp_path, report=lambda _: None)
    assert state.epoch < 30 and state.epoch - 1 - state.best_epoch == 1


def test_fit_writes_a_run_that_loads_and_refuses_to_overwrite(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    settings = config(stages=[{"size": 32, "epochs": 2}])
    (tmp_path / "run").mkdir()
    half_written = tmp_path / "run" / ".best.pt.123.part"
    half_written.touch()
    fit_run(settings, data, tmp_path / "run", cache=tmp_path / "cache")
    assert not half_written.exists(), "what a killed training left behind goes"
    run = load_run(tmp_path / "run")
    assert run.config == settings and run.data == data.absolute()
    val = run.facts["val"]
    assert sum(map(sum, val["confusion_rows_are_truth"])) == 8
    assert set(val["per_class"]) == {"normal", "pneumonia", "covid19", "tuberculosis"}
    with pytest.raises(ConfigError, match="already holds a training"):
        fit_run(settings, data, tmp_path / "run", cache=tmp_path / "cache")


def test_released_bias_speaks_of_the_data_not_of_the_sampling(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    for path in sorted((data / "train" / "normal").iterdir())[1:]:
        path.unlink()  # normal 1, the others 4 each, of 13
    biases = {}
    for corrected in (False, True):
        settings = config(
            stages=[{"size": 32, "epochs": 1}],
            balance="class",
            balance_power=1.0,
            correct_prior=corrected,
        )
        fit_run(settings, data, tmp_path / str(corrected), cache=tmp_path / "cache")
        biases[corrected] = load_run(tmp_path / str(corrected)).network.bias.detach()
    # Drawn: a quarter each. The data: 1, 4, 4 and 4 of 13.
    expected = torch.log(torch.tensor([1.0, 4.0, 4.0, 4.0]) / 13 * 4)
    torch.testing.assert_close(biases[True] - biases[False], expected)


def test_released_weights_keep_their_share_of_the_start() -> None:
    settings = config(keep_start=0.25)
    start, trained = (start_state(config(seed=seed), CPU).network for seed in (1, 2))
    film = [Example(path=Path("x"), name="x", label=0, split="train", group="g", source="")]
    plan = plan_release(settings, film, film, np.ones(1), start)
    released = plan.make(trained)
    torch.testing.assert_close(
        released.cam.weight, 0.25 * start.cam.weight + 0.75 * trained.cam.weight
    )
    assert not torch.equal(start.cam.weight, trained.cam.weight)


def test_seed_repeats_exactly(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    settings = config(stages=[{"size": 32, "epochs": 1}], augment="strong")
    for name in ("a", "b"):
        fit_run(settings, data, tmp_path / name, cache=tmp_path / "cache")
    one, other = (load_state(tmp_path / name / "best.pt")["network"] for name in ("a", "b"))
    assert all(torch.equal(value, other[key]) for key, value in one.items())


def test_extra_data_of_a_held_out_patient_is_refused(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    extra = tmp_path / "extra.csv"
    group = select(read_data(data), "val")[0].group
    extra.write_text(f"path,class,split,group_id\nx.png,normal,train,{group}\n", encoding="utf-8")
    with pytest.raises(DataError, match="kept for evaluation"):
        fit_run(config(), data, tmp_path / "run", extra=(extra,), cache=tmp_path / "cache")


def test_a_training_begins_with_another_runs_weights(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    settings = config(stages=[{"size": 32, "epochs": 2}])
    fit_run(settings, data, tmp_path / "first", cache=tmp_path / "cache")
    still = config(
        stages=[{"size": 32, "epochs": 1}], learning_rate=1e-12, weight_decay=0.0, ema_decay=0.0
    )
    fit_run(
        still, data, tmp_path / "second", start_from=tmp_path / "first", cache=tmp_path / "cache"
    )
    one, other = load_run(tmp_path / "first"), load_run(tmp_path / "second")
    torch.testing.assert_close(one.network.cam.weight, other.network.cam.weight)
    assert other.facts["started_from"] == str(tmp_path / "first")
    with pytest.raises(ConfigError, match="holds a cnn5, the settings ask for resnet18"):
        fit_run(
            config(arch="resnet18"),
            data,
            tmp_path / "third",
            start_from=tmp_path / "first",
            cache=tmp_path / "cache",
        )


def test_missing_class_is_refused_before_any_work(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    for path in (data / "val" / "tuberculosis").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="val split has no image of tuberculosis"):
        fit_run(config(), data, tmp_path / "run", cache=tmp_path / "cache")
    assert not (tmp_path / "run").exists()
