"""The cells of a comparison: what is trained, on what budget, and how a cell is (re)done."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cxr_train.compare.worker import Worker, last_line
from cxr_train.config import Augment
from cxr_train.errors import ConfigError, DataError
from cxr_train.fit.checkpoint import LAST_FILE, is_finished
from cxr_train.fit.efficientnet_lite import LITE_ARCHS
from cxr_train.result_files import write_json, write_text
from cxr_train.terminal import working
from edge_infer.model.model_file import read_rejection

STUDY_ARCHS = ("cnn5", "resnet18")
STUDY_AUGMENTS = (Augment.NONE, Augment.STANDARD)
PLAN_FILE = "plan.json"


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


def train_cell(
    cell: Cell,
    seed: int,
    data: Path,
    out: Path,
    worker: Worker,
    *,
    budget: Budget,
    cache: Path | None,
) -> str:
    """Train a cell from one seed unless that was done; return a line about it."""
    folder = cell.folder(out, seed)
    if is_finished(folder):
        return f"{cell.name}, seed {seed}: already trained"
    words: list[object] = [data, "--arch", cell.arch, "--augment", cell.augment]
    words += ["--size", budget.size, "--epochs", budget.epochs]
    words += ["--seed", seed, *(["--pretrained"] if cell.pretrained else [])]
    train_run(words, folder, worker, what=f"training {cell.name}, seed {seed}", cache=cache)
    return f"{cell.name}, seed {seed}: trained"


def train_run(
    words: Sequence[object], folder: Path, worker: Worker, *, what: str, cache: Path | None
) -> None:
    """Run one `cxr-train fit` to its end unless its run folder is finished."""
    if is_finished(folder):
        return
    resume = ["--resume"] if (folder / LAST_FILE).is_file() else []
    more = ["--cache", cache] if cache else []
    with working(what) as task:
        code, said = worker.run(
            "cxr_train.cli", ["fit", *words, "--out", folder, *more, *resume], task
        )
    write_text([said], folder / "log.txt")
    if code != 0:
        raise DataError(f"The training in {folder} failed: {last_line(said)}")


def export_cell(
    cell: Cell, data: Path, out: Path, worker: Worker, *, cache: Path | None
) -> Path | str:
    """Export the first seed's run through `cxr-export`; return the model, or why there is none."""
    model = cell.model(out)
    if model.is_file():
        return model
    rejected = model.with_name(model.name + ".rejected")
    if not rejected.is_file():
        model.parent.mkdir(parents=True, exist_ok=True)
        words: list[object] = [cell.folder(out, cell.seeds[0]), "--out", model]
        words += ["--calibration", data, "--name", cell.stem, "--quick"]
        words += ["--cache", cache] if cache else []
        with working(f"exporting {cell.name}") as task:
            code, said = worker.run("cxr_export.cli", words, task)
        write_text([said], model.with_suffix(".log.txt"))
        if code == 0:
            return model
        if not rejected.is_file():
            return last_line(said)
    return read_rejection(rejected.read_bytes()) or "its INT8 model was rejected"
