"""From data to a run folder: read, decode, train, measure on validation, write."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxr_train.config import Balance, TrainConfig
from cxr_train.data.ages import describe_films
from cxr_train.data.dataset import LoadedImages, load_films, training_side
from cxr_train.data.manifest import Example, fingerprint, read_data, require_every_class, select
from cxr_train.errors import ConfigError, DataError
from cxr_train.figures.metrics import accuracy, class_scores, confusion_matrix, macro_f1
from cxr_train.figures.temperature import class_logits
from cxr_train.fit.batches import films_per_step
from cxr_train.fit.checkpoint import (
    BEST_FILE,
    LAST_FILE,
    RUN_FILE,
    START_FILE,
    is_finished,
    load_run,
    save_atomically,
)
from cxr_train.fit.distributed import Processes, join_processes
from cxr_train.fit.guides import make_guides
from cxr_train.fit.loop import HISTORY_FILE, EpochRecord, Step, predict, train
from cxr_train.fit.network import CamNetwork
from cxr_train.fit.pace import choose_format, steps_of, uses_compile
from cxr_train.fit.start import load_start
from cxr_train.fit.state import TrainState
from cxr_train.fit.trackers import Tracker, open_trackers
from cxr_train.result_files import require_writable, write_json
from cxr_train.terminal import Task, say, say_nothing, working
from edge_infer.model.model_card import CLASSES
from edge_infer.pc.whole_files import remove

_SHOW_EVERY_S = 0.5


def fit_run(
    config: TrainConfig,
    data: Path,
    out: Path,
    *,
    extra: Sequence[Path] = (),
    resume: bool = False,
    start_from: Path | None = None,
    without: Sequence[str] = (),
    teachers: Sequence[Path] = (),
    lungs: Path | None = None,
    boxes: Path | None = None,
    cache: Path | None = None,
    keep_all: bool = False,
    trackers: Collection[Tracker] = (),
) -> None:
    """Train on the train split of `data` (and of `extra`), choose on its val split.

    Films of sources in `without` are left out of both; DataError for a source nobody has.
    `start_from` is a run folder whose best weights this training begins with, or an exported .onnx.
    `teachers` are run folders whose networks this one follows, `lungs` a folder of lung masks and
    `boxes` a CSV of boxes round lesions (`cxr_train.fit.guides`). What only a resume needs is
    removed after the end unless `keep_all`; `trackers` follow the epochs.
    """
    request = _Request(
        config=config,
        data=data,
        out=out,
        extra=tuple(extra),
        resume=resume,
        start_from=start_from,
        without=tuple(without),
        teachers=tuple(teachers),
        lungs=lungs,
        boxes=boxes,
        cache=cache,
        keep_all=keep_all,
        trackers=tuple(trackers),
    )
    with join_processes() as processes:
        _fit(request, processes)


@dataclass(frozen=True, kw_only=True)
class _Request:
    """What was asked of `fit_run`."""

    config: TrainConfig
    data: Path
    out: Path
    extra: tuple[Path, ...]
    resume: bool
    start_from: Path | None
    without: tuple[str, ...]
    teachers: tuple[Path, ...]
    lungs: Path | None
    boxes: Path | None
    cache: Path | None
    keep_all: bool
    trackers: tuple[Tracker, ...]


@dataclass(frozen=True, kw_only=True)
class _TrainingFilms:
    """What the training works on."""

    train_set: LoadedImages
    val_set: LoadedImages
    own: tuple[Example, ...]
    """The data's train split, without what was added to it."""
    start: CamNetwork | None
    teachers: tuple[CamNetwork, ...]
    guides: NDArray[np.uint8] | None
    fingerprint: str


def _fit(request: _Request, processes: Processes) -> None:
    if request.resume and is_finished(request.out):
        if processes.first:
            say(f"{request.out} is finished: there is nothing left to go on with.")
        return
    # The first process decodes; the others then map what it left in the cache.
    films = processes.run_first(lambda: _prepare(request, processes))
    if not processes.first:
        _train(request, films, processes)
        return
    out = request.out
    facts = _describe_run(request, films, processes)
    write_json(facts, out / RUN_FILE)
    try:
        state = _train(request, films, processes)
    finally:
        _draw(request.config, out)
    with working("measuring the best weights"):
        facts |= _measure(request.config, state, films.val_set, out)
    write_json(facts, out / RUN_FILE)
    if not request.keep_all:
        remove([out / LAST_FILE])  # the optimizer's memory: two thirds of a run folder
    print(_describe_result(facts, out))  # noqa: T201


def _prepare(request: _Request, processes: Processes) -> _TrainingFilms:
    config = request.config
    everything = read_data(request.data, without=request.without)
    _check_sources(request.data, everything, request.without)
    examples = tuple(one for one in everything if one.source not in request.without)
    own, val_examples = select(examples, "train"), select(examples, "val")
    train_examples = own + _read_extra(request.extra, everything, request.without)
    for split in ("train", "val"):
        require_every_class(examples, split)
    _check_guides(request)
    if processes.first:
        _prepare_folder(request.out, resume=request.resume)
    tell = say if processes.first else say_nothing
    tell(_describe_start(config, train_examples, val_examples))
    side = training_side(config.input_size)
    cache = request.cache
    train_set = load_films(train_examples, side, what="train", cache=cache, tell=tell)
    val_set = load_films(val_examples, config.input_size, what="val", cache=cache, tell=tell)
    processes.require_equal_parts(films_per_step(config, len(train_set.examples)))
    tell(_describe_data(config, train_set, val_set))
    origin = request.start_from
    start = load_start(origin, config, train_set.pixels) if origin is not None else None
    if start is not None and processes.first:
        save_atomically({"network": start.state_dict(), "epoch": -1}, request.out / START_FILE)
    guides = make_guides(
        train_set,
        lungs=request.lungs,
        boxes=request.boxes,
        device=processes.device(),
        tell=tell,
    )
    return _TrainingFilms(
        train_set=train_set,
        val_set=val_set,
        own=own,
        start=start,
        teachers=tuple(_load_teacher(path, request) for path in request.teachers),
        guides=guides,
        fingerprint=fingerprint([*train_examples, *val_examples]),
    )


def _describe_run(request: _Request, films: _TrainingFilms, processes: Processes) -> dict[str, Any]:
    import torch

    start = request.start_from
    return {
        "config": request.config.to_dict(),
        "data": str(request.data.absolute()),
        "extra": [str(path.absolute()) for path in request.extra],
        "started_from": str(start.absolute()) if start else None,
        "without": list(request.without),
        "taught_by": [path.name for path in request.teachers],
        "lungs": request.lungs is not None,
        "boxes": request.boxes is not None,
        "fingerprint": films.fingerprint,
        "train_images": len(films.train_set.examples),
        "val_images": len(films.val_set.examples),
        "skipped": [*films.train_set.skipped, *films.val_set.skipped],
        "imbalance": _describe_balance(request.config),
        "torch": torch.__version__,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "auto": _describe_auto(request.config, films, processes),
        "processes": processes.count,
    }


def _describe_auto(
    config: TrainConfig, films: _TrainingFilms, processes: Processes
) -> dict[str, str]:
    """Return what each setting `auto` became, and why."""
    chosen = choose_format(config)
    steps = steps_of(config, len(films.train_set.examples))
    compiled = uses_compile(config, steps=steps, processes=processes.count)
    return {
        "device": chosen.device,
        "precision": chosen.precision,
        "precision_because": chosen.why,
        "compile": "on" if compiled else "off",
    }


def _train(request: _Request, films: _TrainingFilms, processes: Processes) -> TrainState:
    config = request.config
    wanted = request.trackers if processes.first else ()
    with (
        open_trackers(wanted, request.out, config.to_dict()) as follow,
        working("training") as task,
    ):

        def report(record: EpochRecord) -> None:
            say(_describe_epoch(config, record))
            follow(vars(record))

        return train(
            config,
            films.train_set,
            films.val_set,
            request.out,
            resume=request.resume,
            start=films.start,
            own=films.own,
            guides=films.guides,
            teachers=films.teachers,
            processes=processes,
            report=report,
            watch=_Watch(config, task),
        )


class _Watch:
    """Shows on the line how far a training is; reads the loss, and so waits for a GPU, rarely."""

    def __init__(self, config: TrainConfig, task: Task) -> None:
        self._config, self._task = config, task
        self._shown = -_SHOW_EVERY_S

    def __call__(self, step: Step) -> None:
        now = time.monotonic()
        last = step.step == step.steps
        if now - self._shown < _SHOW_EVERY_S and not last:
            return
        self._shown = now
        epochs = self._config.epochs
        detail = (
            f"epoch {step.epoch + 1} of {epochs}, loss {float(step.loss):.3f}, "
            f"{step.films / max(step.seconds, 1e-9):.0f} films/s"
        )
        if last:
            detail += ", validating"
        self._task.at(step.epoch * step.steps + step.step, epochs * step.steps, detail)


def _check_guides(request: _Request) -> None:
    """Raise ConfigError where settings ask for what was not given."""
    config = request.config
    for weight, given, option in (
        (config.lung_weight, request.lungs, "--lungs"),
        (config.box_weight, request.boxes, "--boxes"),
        (config.distill_weight, request.teachers or None, "--teacher"),
    ):
        if weight and given is None:
            raise ConfigError(f"The settings give weight to what {option} names: add {option}.")


def _load_teacher(path: Path, request: _Request) -> CamNetwork:
    """Load a teacher's best network; ConfigError where it says other things or knows too much."""
    run = load_run(path)
    if run.config.outputs != request.config.outputs:
        raise ConfigError(f"The teacher {path} has {run.config.outputs} outputs, not as many.")
    if missing := sorted(set(request.without) - set(run.without)):
        raise ConfigError(
            f"The teacher {path} was trained with {', '.join(missing)}, left out here."
        )
    return run.network


def _check_sources(data: Path, examples: Sequence[Example], without: Sequence[str]) -> None:
    known = {example.source for example in examples}
    for source in without:
        is_folder = data.is_dir() and any(path.name == source for path in data.rglob("*"))
        if source not in known and not is_folder:
            raise DataError(
                f"No film has the source '{source}'; there are: {', '.join(sorted(known))}."
            )


def _read_extra(
    extra: Sequence[Path], examples: Sequence[Example], without: Sequence[str]
) -> tuple[Example, ...]:
    held_out = {example.group for example in examples if example.split != "train"}
    added: list[Example] = []
    for folder in extra:
        for example in select(read_data(folder), "train"):
            if example.group in held_out:
                raise DataError(
                    f"{example.name} of {folder} belongs to group '{example.group}', which is "
                    "kept for evaluation: remove it from the extra data."
                )
            if example.source not in without:
                added.append(example)
    return tuple(added)


def _prepare_folder(out: Path, *, resume: bool) -> None:
    require_writable(out)
    if (is_finished(out) or (out / LAST_FILE).exists()) and not resume:
        raise ConfigError(
            f"{out} already holds a training: add --resume to go on, or choose another --out."
        )
    remove(out.glob(".*.part"))  # of a training that was killed while it wrote


def _measure(
    config: TrainConfig, state: TrainState, val_set: LoadedImages, out: Path
) -> dict[str, Any]:
    import torch

    if not (out / BEST_FILE).is_file():
        raise DataError(f"{out} has no best weights: no epoch of the last stage was finished.")
    network = load_run(out).network
    logits = predict(network, val_set.pixels, size=config.input_size, device=torch.device("cpu"))
    return {
        "ended": datetime.now(UTC).date().isoformat(),
        "epochs_run": state.epoch,
        "best_epoch": state.best_epoch,
        "val": describe_val(val_set.labels, logits),
    }


def describe_val(labels: NDArray[np.int64], logits: NDArray[np.float32]) -> dict[str, Any]:
    """Return what run.json says of validation logits [N, K]."""
    predictions = class_logits(logits).argmax(axis=1)
    return {
        "accuracy": accuracy(labels, predictions),
        "macro_f1": macro_f1(labels, predictions),
        "per_class": {
            name: vars(score)
            for name, score in zip(CLASSES, class_scores(labels, predictions), strict=True)
        },
        "confusion_rows_are_truth": confusion_matrix(labels, predictions).tolist(),
    }


def _draw(config: TrainConfig, out: Path) -> None:
    """Draw what there is of the history; an interrupted training has its curves too."""
    from cxr_train.fit.curves import CURVES_FILE, draw_curves

    if not (out / HISTORY_FILE).is_file():
        return
    history = json.loads((out / HISTORY_FILE).read_text(encoding="utf-8"))
    try:
        draw_curves(history, out / CURVES_FILE, choosing_from=config.choosing_from)
    except ModuleNotFoundError:
        say(f'No {CURVES_FILE}: matplotlib is missing: pip install "cxr-edge[train]"')


def _describe_start(
    config: TrainConfig, train_examples: Sequence[Example], val_examples: Sequence[Example]
) -> str:
    """Say what trains, on what, and how its numbers are kept: the first line of a training."""
    return (
        f"{config.arch} at {config.input_size} px on {choose_format(config)}; "
        f"{len(train_examples)} films to train on, {len(val_examples)} to choose on; "
        f"together {describe_films((*train_examples, *val_examples))}"
    )


def _describe_data(config: TrainConfig, train_set: LoadedImages, val_set: LoadedImages) -> str:
    """Count the films of each split and class, and say how imbalance is met."""
    lines = []
    for name, loaded in (("train", train_set), ("val", val_set)):
        counts = Counter(int(label) for label in loaded.labels)
        parts = ", ".join(f"{CLASSES[i]} {counts[i]}" for i in range(len(CLASSES)))
        lines.append(f"{name}: {len(loaded.examples)} films ({parts})")
    lines.append(f"class imbalance: {_describe_balance(config)}")
    return "\n".join(lines)


def _describe_balance(config: TrainConfig) -> str:
    """Say how often films of each class or source are drawn."""
    if config.balance is Balance.NONE:
        return "not corrected; films are drawn as they are"
    cell = "class" if config.balance is Balance.CLASS else "cell of source x class"
    corrected = "; logits corrected for it" if config.correct_prior else ""
    return f"a {cell} of n films is drawn with weight n^{1 - config.balance_power:g}{corrected}"


def _describe_epoch(config: TrainConfig, record: EpochRecord) -> str:
    """Give an epoch's figures on one line."""
    return (
        f"{time.strftime('%H:%M:%S')} epoch {record.epoch + 1}/{config.epochs} "
        f"{record.size} px  loss {record.train_loss:.3f}  val loss {record.val_loss:.3f}  "
        f"accuracy {record.val_accuracy:.4f}  macro-F1 {record.val_macro_f1:.4f}  "
        f"{record.seconds:.0f} s"
    )


def _describe_result(facts: dict[str, Any], out: Path) -> str:
    """Give the finished run's figures and place."""
    val = facts["val"]
    return (
        f"validation: accuracy {val['accuracy']:.4f}, macro-F1 {val['macro_f1']:.4f}\n"
        f"run folder: {out}"
    )
