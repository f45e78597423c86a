"""Score the bundled model through `cxr-infer` itself on labelled splits of a manifest.

    python -m benchmarks.accuracy DATA [--splits test published] [--model FILE]

DATA holds manifest.csv (path, class, split, source). Each split's films are linked into a folder of
their own, screened by the command, and its worklist.csv is compared with the labels. Films the
command refuses are counted, never dropped in silence.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from cxr_train.data.manifest import Example, read_data, select
from cxr_train.figures.metrics import accuracy, auroc, class_scores, confusion_matrix, macro_f1
from edge_infer.model.model_card import CLASSES


def screen(examples: tuple[Example, ...], model: Path | None, folder: Path) -> list[dict[str, str]]:
    """Screen `examples` through the command; rows in the order of `examples`."""
    day, out = folder / "day", folder / "out"
    day.mkdir()
    for number, example in enumerate(examples):
        (day / f"{number:05}{example.path.suffix}").symlink_to(example.path)
    command = [sys.executable, "-m", "edge_infer", str(day), "--out", str(out)]
    command += ["--model", str(model)] if model else []
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    if done.returncode not in (0, 4):
        raise SystemExit(f"cxr-infer ended with {done.returncode}")
    with (out / "worklist.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return sorted(rows, key=lambda row: row["path"])


def print_figures(title: str, examples: list[Example], rows: list[dict[str, str]]) -> None:
    """Print the figures of one set of screened films."""
    labels = np.array([example.label for example in examples])
    predictions = np.array([CLASSES.index(row["prediction"]) for row in rows])
    tb_scores = np.array([float(row["tb_score"]) for row in rows])
    referred = np.array([row["decision"] == "refer_tb" for row in rows])
    is_tb = labels == CLASSES.index("tuberculosis")
    print(f"{title}: n {len(labels)}, accuracy {accuracy(labels, predictions):.4f}", end="")
    if len(set(labels.tolist())) == len(CLASSES):
        print(f", macro-F1 {macro_f1(labels, predictions):.4f}")
        for name, score in zip(CLASSES, class_scores(labels, predictions), strict=True):
            print(f"  {name:13} F1 {score.f1:.4f}")
        print("  confusion (rows are the truth):", confusion_matrix(labels, predictions).tolist())
    else:
        print()
    if is_tb.any() and not is_tb.all():
        area = auroc(tb_scores, is_tb)
        print(
            f"  TB: AUROC {area:.4f}, referred {referred[is_tb].sum()} of {is_tb.sum()} with TB "
            f"and {referred[~is_tb].sum()} of {(~is_tb).sum()} without"
        )


def main() -> None:
    """Parse the command line and print figures per split and source."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--splits", nargs="+", default=["val"])
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    everything = read_data(options.data)
    for split in options.splits:
        examples = select(everything, split)
        with tempfile.TemporaryDirectory() as folder:
            rows = screen(examples, options.model, Path(folder))
        assert len(rows) == len(examples)
        kept = [(e, r) for e, r in zip(examples, rows, strict=True) if r["status"] == "screened"]
        print(f"== {split}: {len(examples) - len(kept)} of {len(examples)} films not screened")
        print_figures("all sources", [e for e, _ in kept], [r for _, r in kept])
        for source in sorted({example.source for example in examples}):
            part = [(e, r) for e, r in kept if e.source == source]
            if part:
                print_figures(f" {source}", [e for e, _ in part], [r for _, r in part])


if __name__ == "__main__":
    main()
