"""What `cxr-train fit` says while it works, and its result."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from cxr_train.config import Balance, TrainConfig
from cxr_train.data.dataset import LoadedImages
from cxr_train.fit.loop import EpochRecord
from edge_infer.model.model_card import CLASSES


def describe_data(config: TrainConfig, train_set: LoadedImages, val_set: LoadedImages) -> str:
    """Count the films of each split and class, and say how imbalance is met."""
    lines = []
    for name, loaded in (("train", train_set), ("val", val_set)):
        counts = Counter(int(label) for label in loaded.labels)
        parts = ", ".join(f"{CLASSES[i]} {counts[i]}" for i in range(len(CLASSES)))
        lines.append(f"{name}: {len(loaded.examples)} films ({parts})")
    lines.append(f"class imbalance: {describe_balance(config)}")
    return "\n".join(lines)


def describe_balance(config: TrainConfig) -> str:
    """Say how often films of each class or source are drawn."""
    if config.balance is Balance.NONE:
        return "not corrected; films are drawn as they are"
    cell = "class" if config.balance is Balance.CLASS else "cell of source x class"
    corrected = "; logits corrected for it" if config.correct_prior else ""
    return f"a {cell} of n films is drawn with weight n^{1 - config.balance_power:g}{corrected}"


def describe_epoch(config: TrainConfig, record: EpochRecord) -> str:
    """Give an epoch's figures on one line."""
    return (
        f"{time.strftime('%H:%M:%S')} epoch {record.epoch + 1}/{config.epochs} "
        f"{record.size} px  loss {record.train_loss:.3f}  val loss {record.val_loss:.3f}  "
        f"accuracy {record.val_accuracy:.4f}  macro-F1 {record.val_macro_f1:.4f}  "
        f"{record.seconds:.0f} s"
    )


def describe_result(facts: dict[str, Any], out: Path) -> str:
    """Give the finished run's figures and place."""
    val = facts["val"]
    return (
        f"validation: accuracy {val['accuracy']:.4f}, macro-F1 {val['macro_f1']:.4f}\n"
        f"run folder: {out}"
    )


def say(text: str) -> None:
    """Write a message to stderr; stdout is for the result."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def say_nothing(_: str) -> None:
    """Stand in for `say` in all processes but the first."""
