"""The cells of a comparison: what is trained, on what budget, and how a cell is (re)done."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cxr_train.config import Augment
from cxr_train.errors import ConfigError, DataError
from cxr_train.fit.checkpoint import LAST_FILE, RUN_FILE
from cxr_train.fit.efficientnet_lite import LITE_ARCHS
from cxr_train.result_files import write_json, write_text

STUDY_ARCHS = ("cnn5", "resnet18")
STUDY_AUGMENTS = (Augment.NONE, Augment.STANDARD)
PLAN_FILE = "plan.json"
REJECTED = 4
"""Exit code of `cxr-export` when the INT8 model does not agree with its checkpoint."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What every cell may spend: the same picture size and epochs, nothing else."""

    size: int
    epochs: int

    def __str__(self) -> str:
        return f"{self.size} px, {self.epochs} epochs"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One architecture under one augmentation, trained from one or more seeds."""

    arch: str
    augment: Augment
    seeds: tuple[int, ...]
    pretrained: bool = False
    """Whether it begins with ImageNet weights."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"{self.arch}{' from ImageNet' if self.pretrained else ''}, {self.augment}"

    @property
    def stem(self) -> str:
        """What its files are called."""
        return f"{self.arch}{'-imagenet' if self.pretrained else ''}-{self.augment}"

    def folder(self, out: Path, seed: int) -> Path:
        """Return the run folder of one seed."""
        return out / "runs" / f"{self.stem}-{seed}"

    def model(self, out: Path) -> Path:
        """Return where the INT8 model of the first seed lies."""
        return out / "models" / f"{self.stem}.onnx"


def parse_budget(text: str) -> Budget:
    """Read `128x10`: pictures of 128 px, 10 epochs; ConfigError for anything else."""
    match = re.fullmatch(r"(\d{2,4})x(\d{1,4})", text.strip())
    if match is None:
        raise ConfigError(f"The budget '{text}' is not SIZExEPOCHS, for instance 128x10.")
    return Budget(size=int(match[1]), epochs=int(match[2]))


def plan_cells(archs: Sequence[str], seeds: int) -> tuple[Cell, ...]:
    """Return the study's four cells from `seeds` seeds each, and from one seed: `strong` for both,
    and every further architecture under `standard`.

    An EfficientNet-Lite has two cells: from scratch, and from the ImageNet weights of its package.
    """
    if seeds < 1:
        raise ConfigError("--seeds must be at least 1.")
    study = [
        Cell(arch=arch, augment=augment, seeds=tuple(range(seeds)))
        for arch in STUDY_ARCHS
        for augment in STUDY_AUGMENTS
    ]
    more = [Cell(arch=arch, augment=Augment.STRONG, seeds=(0,)) for arch in STUDY_ARCHS]
    more += [
        Cell(arch=arch, augment=Augment.STANDARD, seeds=(0,))
        for arch in archs
        if arch not in STUDY_ARCHS
    ]
    more += [
        Cell(arch=arch, augment=Augment.STANDARD, seeds=(0,), pretrained=True)
        for arch in archs
        if arch in LITE_ARCHS
    ]
    return tuple(study + more)


def check_plan(out: Path, budget: Budget, data_fingerprint: str) -> None:
    """Write what this comparison is, or refuse a folder that holds another one (ConfigError).

    ReportError where it cannot be written.
    """
    plan = {"budget": asdict(budget), "data_fingerprint": data_fingerprint}
    file = out / PLAN_FILE
    if file.is_file() and json.loads(file.read_text(encoding="utf-8")) != plan:
        raise ConfigError(
            f"{out} holds a comparison with another budget or other data: choose another --out."
        )
    write_json(plan, file)


def train_cells(
    cells: Iterable[Cell],
    data: Path,
    out: Path,
    *,
    budget: Budget,
    jobs: int,
    cache: Path | None,
) -> Iterator[str]:
    """Train what is not trained yet, `jobs` at a time; yield a line per finished training."""
    due = [(cell, seed) for cell in cells for seed in cell.seeds]

    def train_one(job: tuple[Cell, int]) -> str:
        cell, seed = job
        folder = cell.folder(out, seed)
        if is_finished(folder):
            return f"{cell.name}, seed {seed}: already trained"
        words: list[object] = ["fit", data, "--out", folder, "--arch", cell.arch]
        words += ["--augment", cell.augment, "--size", budget.size, "--epochs", budget.epochs]
        words += ["--seed", seed, *(["--pretrained"] if cell.pretrained else [])]
        _train(words, folder, jobs=jobs, cache=cache)
        return f"{cell.name}, seed {seed}: trained"

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        yield from pool.map(train_one, due)


def train_run(words: Sequence[object], folder: Path, *, cache: Path | None) -> None:
    """Run one `cxr-train fit` to its end unless its run folder is finished."""
    if not is_finished(folder):
        _train(["fit", *words, "--out", folder], folder, jobs=1, cache=cache)


def is_finished(folder: Path) -> bool:
    """Whether a run folder holds a training that ended."""
    try:
        facts: dict[str, Any] = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return "val" in facts


def export_cell(cell: Cell, data: Path, out: Path, *, cache: Path | None) -> Path | None:
    """Export the first seed's run through `cxr-export`; None when its gates reject the model.

    `cxr_train` must not import `cxr_export`, hence the process of its own.
    """
    model = cell.model(out)
    if model.is_file():
        return model
    rejected = model.with_name(model.name + ".rejected")
    if rejected.is_file():
        return None
    model.parent.mkdir(parents=True, exist_ok=True)
    words: list[object] = [cell.folder(out, cell.seeds[0]), "--out", model, "--calibration", data]
    words += ["--name", cell.stem]
    words += ["--cache", cache] if cache else []
    done = _run("cxr_export.cli", words, threads=0)
    if done.returncode not in (0, REJECTED):
        raise DataError(f"cxr-export of {cell.name} failed: {_last_line(done.stderr)}")
    return model if done.returncode == 0 else None


def _train(words: Sequence[object], folder: Path, *, jobs: int, cache: Path | None) -> None:
    resume = ["--resume"] if (folder / LAST_FILE).is_file() else []
    more = ["--cache", cache] if cache else []
    threads = max(1, (os.cpu_count() or 1) // jobs) if jobs > 1 else 0
    done = _run("cxr_train.cli", [*words, *more, *resume], threads=threads)
    write_text([done.stderr], folder / "log.txt")
    if done.returncode != 0:
        raise DataError(f"The training in {folder} failed: {_last_line(done.stderr)}")


def _run(module: str, words: Sequence[object], *, threads: int) -> subprocess.CompletedProcess[str]:
    more = {"OMP_NUM_THREADS": str(threads)} if threads else {}
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, words)],
        check=False,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONUTF8": "1", **more},
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]
