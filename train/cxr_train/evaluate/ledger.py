"""The test ledger: every look at a held-out split, so that looks can be counted."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from cxr_train.evaluate.evaluation import Evaluation
from cxr_train.figures.measures import ALL
from cxr_train.result_files import unwritable
from cxr_train.revision import git_revision

LEDGER_FILE = "test_ledger.csv"


@dataclass(frozen=True, kw_only=True)
class Look:
    """One model's figures on one held-out split."""

    date: str
    commit: str
    model_sha256: str
    model: str
    split: str
    n: int
    accuracy: str
    macro_f1: str
    note: str = ""


def make_look(
    *, model: str, sha256: str, split: str, n: int, accuracy: float, macro_f1: float, note: str
) -> Look:
    """Note a look with today's date and this program's revision."""
    return Look(
        date=datetime.now(UTC).date().isoformat(),
        commit=git_revision(Path(__file__)),
        model_sha256=sha256,
        model=model,
        split=split,
        n=n,
        accuracy=f"{accuracy:.4f}",
        macro_f1=f"{macro_f1:.4f}",
        note=note,
    )


def looks_of(evaluation: Evaluation) -> list[Look]:
    """Return an evaluation's looks at splits other than val, all input types of a split apart."""
    looks = []
    for result in evaluation.splits:
        overall = {
            (metric.input_type, metric.name): metric
            for metric in result.metrics
            if metric.source == ALL and not metric.class_name
        }
        for kind in sorted({kind for kind, _ in overall}):
            accuracy, macro_f1 = overall[kind, "accuracy"], overall.get((kind, "macro_f1"))
            if result.split == "val" or macro_f1 is None:
                continue
            looks.append(
                make_look(
                    model=evaluation.model,
                    sha256=evaluation.sha256,
                    split=result.split,
                    n=accuracy.n,
                    accuracy=accuracy.estimate.value,
                    macro_f1=macro_f1.estimate.value,
                    note=kind,
                )
            )
    return looks


def default_ledger(out: Path) -> Path:
    """Return the repository's ledger where this program runs from a checkout, else one in `out`."""
    recipes = Path(__file__).resolve().parents[2] / "recipes"
    return (recipes if recipes.is_dir() else out) / LEDGER_FILE


def append(looks: list[Look], ledger: Path) -> None:
    """Append looks that are not there yet; ReportError where the ledger is not writable.

    A model on a split of as many films is one look, however often it is repeated.
    """
    columns = [field.name for field in fields(Look)]
    with unwritable(ledger):
        known = set()
        if ledger.is_file():
            with ledger.open(encoding="utf-8", newline="") as file:
                known = {
                    (row["model_sha256"], row["split"], row["n"]) for row in csv.DictReader(file)
                }
        new = not ledger.is_file()
        with ledger.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=columns, lineterminator="\n")
            if new:
                writer.writeheader()
            for look in looks:
                if (look.model_sha256, look.split, str(look.n)) not in known:
                    writer.writerow(vars(look))
