"""What one list on every PC costs: 7-bit weights and exact sums against plain U8S8.

    python -m benchmarks.seven_bits FP32.onnx DATA [--cache FOLDER] [--runs 200]

FP32.onnx is what `cxr-export --fp32-too` writes. Both models are quantized here with the same
ranges, timed film by film in turn on one thread, and scored on DATA's val split.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr_export.calibration_set import choose_calibration
from cxr_export.candidates import make_int8
from cxr_export.gate_table import time_in_turn
from cxr_export.quantize import Method, prepare_for_quantization, quantize, run_logits
from cxr_train.data.dataset import load_images
from cxr_train.data.manifest import read_data, select
from cxr_train.figures.metrics import accuracy, confusion_matrix, macro_f1


def make_both(fp32: Path, folder: Path, films: NDArray[np.uint8]) -> dict[str, Path]:
    """Quantize plainly and as `cxr-export` does; return name and file of each."""
    prepared = folder / "prepared.onnx"
    prepare_for_quantization(fp32, prepared)
    plain, ours = folder / "plain.onnx", folder / "ours.onnx"
    quantize(prepared, plain, films, method=Method.MINMAX, seven_bits=False)
    make_int8(prepared, ours, films, method=Method.MINMAX)
    return {"plain U8S8": plain, "7 bits, exact sums, head in double": ours}


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
        times = time_in_turn(list(models.values()), val.pixels, runs=options.runs)
        for (name, path), taken in zip(models.items(), times, strict=True):
            predictions = run_logits(path, val.pixels).argmax(axis=1)
            print(
                f"{name}: {taken:.2f} ms a film, {times[0] / taken:.3f} times as fast "
                f"as plain; {len(labels)} val films: accuracy {accuracy(labels, predictions):.4f}, "
                f"macro-F1 {macro_f1(labels, predictions):.4f}, "
                f"{np.trace(confusion_matrix(labels, predictions))} right"
            )


if __name__ == "__main__":
    main()
