"""From data to a run folder: read, decode, train, measure on validation, write."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cxr_train.checkpoint import BEST_FILE, LAST_FILE, RUN_FILE, load_run, write_json
from cxr_train.config import Balance, TrainConfig
from cxr_train.dataset import LoadedImages, load_images
from cxr_train.errors import ConfigError, DataError
from cxr_train.loop import EpochRecord, TrainState, predict, train
from cxr_train.manifest import Example, fingerprint, read_data, require_every_class, select
from cxr_train.metrics import accuracy, class_scores, confusion_matrix, macro_f1
from cxr_train.network import CamNetwork
from edge_infer.errors import ReportError
from edge_infer.model.model_card import CLASSES

CACHE_MARGIN = 8 / 7
"""Training films are decoded a little larger than the input, so that a crop keeps its detail."""


def fit_run(
    config: TrainConfig,
    data: Path,
    out: Path,
    *,
    extra: Sequence[Path] = (),
    resume: bool = False,
    start_from: Path | None = None,
    cache: Path | None = None,
) -> None:
    """Train on the train split of `data` (and of `extra`), choose on its val split.

    `start_from` is a run folder whose best weights this training begins with.
    """
    import torch

    examples = read_data(data)
    train_examples = select(examples, "train") + _read_extra(extra, examples)
    val_examples = select(examples, "val")
    for split in ("train", "val"):
        require_every_class(examples, split)
    start = _load_start(start_from, config) if start_from else None
    _prepare_folder(out, resume=resume)
    own = select(examples, "train")
    train_set = _load(train_examples, round(config.input_size * CACHE_MARGIN), "train", cache)
    val_set = _load(val_examples, config.input_size, "val", cache)
    _say(_describe_data(config, train_set, val_set))
    facts: dict[str, Any] = {
        "config": config.to_dict(),
        "data": str(data.absolute()),
        "extra": [str(path.absolute()) for path in extra],
        "started_from": str(start_from.absolute()) if start_from else None,
        "fingerprint": fingerprint([*train_examples, *val_examples]),
        "train_images": len(train_set.examples),
        "val_images": len(val_set.examples),
        "skipped": [*train_set.skipped, *val_set.skipped],
        "imbalance": _describe_balance(config),
        "torch": torch.__version__,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
    }
    write_json(facts, out / RUN_FILE)
    state = train(
        config,
        train_set,
        val_set,
        out,
        resume=resume,
        start=start,
        own=own,
        report=_epoch_printer(config),
    )
    facts |= _measure(config, state, val_set, out)
    write_json(facts, out / RUN_FILE)
    _print_result(facts, out)


def _read_extra(extra: Sequence[Path], examples: Sequence[Example]) -> tuple[Example, ...]:
    held_out = {example.group for example in examples if example.split != "train"}
    added: list[Example] = []
    for folder in extra:
        for example in select(read_data(folder), "train"):
            if example.group in held_out:
                raise DataError(
                    f"{example.name} of {folder} belongs to group '{example.group}', which is "
                    "kept for evaluation: remove it from the extra data."
                )
            added.append(example)
    return tuple(added)


def _load_start(folder: Path, config: TrainConfig) -> CamNetwork:
    run = load_run(folder)
    if run.config.arch != config.arch:
        raise ConfigError(
            f"{folder} holds a {run.config.arch}, the settings ask for {config.arch}."
        )
    return run.network


def _prepare_folder(out: Path, *, resume: bool) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".writable").touch()
        (out / ".writable").unlink()
    except OSError as error:
        raise ReportError(f"The run folder {out} cannot be written: {error.strerror}.") from error
    if (out / LAST_FILE).exists() and not resume:
        raise ConfigError(
            f"{out} already holds a training: add --resume to go on, or choose another --out."
        )


def _load(examples: Sequence[Example], size: int, what: str, cache: Path | None) -> LoadedImages:
    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty() and (done % 50 == 0 or done == total):
            end = "\n" if done == total else ""
            sys.stderr.write(f"\rreading {what} films {done}/{total}{end}")

    loaded = load_images(examples, height=size, width=size, cache=cache, progress=progress)
    for reason in loaded.skipped:
        _say(f"not used: {reason}")
    return loaded


def _describe_data(config: TrainConfig, train_set: LoadedImages, val_set: LoadedImages) -> str:
    lines = []
    for name, loaded in (("train", train_set), ("val", val_set)):
        counts = Counter(int(label) for label in loaded.labels)
        parts = ", ".join(f"{CLASSES[i]} {counts[i]}" for i in range(len(CLASSES)))
        lines.append(f"{name}: {len(loaded.examples)} films ({parts})")
    lines.append(f"class imbalance: {_describe_balance(config)}")
    return "\n".join(lines)


def _describe_balance(config: TrainConfig) -> str:
    if config.balance is Balance.NONE:
        return "not corrected; films are drawn as they are"
    cell = "class" if config.balance is Balance.CLASS else "cell of source x class"
    corrected = "; logits corrected for it" if config.correct_prior else ""
    return f"a {cell} of n films is drawn with weight n^{1 - config.balance_power:g}{corrected}"


def _epoch_printer(config: TrainConfig) -> Callable[[EpochRecord], None]:
    def print_epoch(record: EpochRecord) -> None:
        _say(
            f"{time.strftime('%H:%M:%S')} epoch {record.epoch + 1}/{config.epochs} "
            f"{record.size} px  loss {record.train_loss:.3f}  val loss {record.val_loss:.3f}  "
            f"accuracy {record.val_accuracy:.4f}  macro-F1 {record.val_macro_f1:.4f}  "
            f"{record.seconds:.0f} s"
        )

    return print_epoch


def _measure(
    config: TrainConfig, state: TrainState, val_set: LoadedImages, out: Path
) -> dict[str, Any]:
    import torch

    if not (out / BEST_FILE).is_file():
        raise DataError(f"{out} has no best weights: no epoch of the last stage was finished.")
    network = load_run(out).network
    logits = predict(network, val_set.pixels, size=config.input_size, device=torch.device("cpu"))
    predictions = logits.argmax(axis=1)
    labels = val_set.labels
    return {
        "epochs_run": state.epoch,
        "best_epoch": state.best_epoch,
        "val": {
            "accuracy": accuracy(labels, predictions),
            "macro_f1": macro_f1(labels, predictions),
            "per_class": {
                name: vars(score)
                for name, score in zip(CLASSES, class_scores(labels, predictions), strict=True)
            },
            "confusion_rows_are_truth": confusion_matrix(labels, predictions).tolist(),
        },
    }


def _print_result(facts: dict[str, Any], out: Path) -> None:
    val = facts["val"]
    print(f"validation: accuracy {val['accuracy']:.4f}, macro-F1 {val['macro_f1']:.4f}")  # noqa: T201
    print(f"run folder: {out}")  # noqa: T201


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
