"""What one list on every PC costs: 7-bit weights and exact sums against plain U8S8.

    python -m benchmarks.seven_bits FP32.onnx DATA [--cache FOLDER] [--runs 200]

FP32.onnx is what `cxr-export --fp32-too` writes. Both models are quantized here with the same
ranges, timed film by film in turn on one thread, and scored on DATA's val split.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr_export.calibration_set import choose_calibration
from cxr_export.double_head import compute_head_in_double
from cxr_export.exact_sums import make_sums_exact
from cxr_export.quantize import (
    Method,
    open_session,
    prepare_for_quantization,
    quantize,
    run_logits,
)
from cxr_train.dataset import load_images
from cxr_train.manifest import read_data, select
from cxr_train.metrics import accuracy, confusion_matrix, macro_f1


def make_both(fp32: Path, folder: Path, films: NDArray[np.uint8]) -> dict[str, Path]:
    """Quantize plainly and as `cxr-export` does; return name and file of each."""
    prepared = folder / "prepared.onnx"
    prepare_for_quantization(fp32, prepared)
    plain, ours = folder / "plain.onnx", folder / "ours.onnx"
    quantize(prepared, plain, films, method=Method.MINMAX, seven_bits=False)
    quantize(prepared, ours, films, method=Method.MINMAX)
    make_sums_exact(ours)
    compute_head_in_double(ours)
    return {"plain U8S8": plain, "7 bits, exact sums, head in double": ours}


def time_in_turn(models: dict[str, Path], films: NDArray[np.uint8], runs: int) -> dict[str, float]:
    """Return median milliseconds of one film on one thread."""
    sessions = {name: open_session(path) for name, path in models.items()}
    taken: dict[str, list[float]] = {name: [] for name in models}
    for run in range(runs):
        film = np.array(films[run % len(films)])[None]
        for name, session in sessions.items():
            began = time.perf_counter()
            session.run(["logits"], {"image": film})
            taken[name].append(1000 * (time.perf_counter() - began))
    return {name: float(np.median(times)) for name, times in taken.items()}


def main() -> None:
    """Parse the command line, quantize, time, score, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("fp32", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    examples = read_data(options.data)
    size = {"height": options.side, "width": options.side, "cache": options.cache}
    val = load_images(select(examples, "val"), **size)
    calibration = load_images(choose_calibration(examples), **size)
    labels = np.array([example.label for example in val.examples])
    with tempfile.TemporaryDirectory() as folder:
        models = make_both(options.fp32, Path(folder), np.array(calibration.pixels))
        times = time_in_turn(models, val.pixels, options.runs)
        plain = times["plain U8S8"]
        for name, path in models.items():
            predictions = run_logits(path, val.pixels).argmax(axis=1)
            print(
                f"{name}: {times[name]:.2f} ms a film, {plain / times[name]:.3f} times as fast "
                f"as plain; {len(labels)} val films: accuracy {accuracy(labels, predictions):.4f}, "
                f"macro-F1 {macro_f1(labels, predictions):.4f}, "
                f"{np.trace(confusion_matrix(labels, predictions))} right"
            )


if __name__ == "__main__":
    main()
