"""The stock loop in one process, as a competent user writes it; imports nothing of ours.

    python -m benchmarks.stock FOLDER [--engine int8|fp32|torch|openvino] [--model FILE]

pydicom with whatever plug-ins this Python has, modality and VOI LUT (float), OpenCV's area resize,
one film at a time through the network. Every library keeps its own default number of threads. The
usual plug-ins: pylibjpeg, pylibjpeg-openjpeg, pylibjpeg-rle, python-gdcm, pyjpegls.
`int8` and `openvino` take the same INT8 file, `fp32` an fp32 ONNX of the same inputs; `torch` takes
no file: timm's EfficientNet-Lite0 for one channel, randomly initialised (speed does not depend on
the weights). Ends with 3 and `missing: NAME` where a package is not installed.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 224
MISSING = 3
Network = Callable[[NDArray[np.uint8]], Any]
INT8 = Path(__file__).resolve().parents[1] / "edge_infer" / "models" / "cxr-lite0.onnx"


def read_film(path: Path) -> NDArray[Any]:
    """Return [H, W] as displayed, in the units of its window; raises what its library raises."""
    if path.suffix != ".dcm":
        import cv2

        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if picture is None:
            raise ValueError("OpenCV cannot read it")
        return np.asarray(picture)
    import pydicom
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    film = pydicom.dcmread(path)
    pixels = apply_voi_lut(apply_modality_lut(film.pixel_array, film), film, index=0)
    if film.PhotometricInterpretation == "MONOCHROME1":
        pixels = pixels.max() - pixels
    return np.asarray(pixels)


def to_input(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Shrink to [1, 1, SIDE, SIDE] and stretch to 0..255."""
    import cv2

    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    low, high = np.percentile(small, (0.5, 99.5))
    stretched = (small - low) / max(float(high - low), 1e-6) * 255
    return np.asarray(stretched.clip(0, 255), np.uint8)[None, None]


def open_onnxruntime(model: Path) -> Network:
    """Open a session with ONNX Runtime's default options: one thread per physical core."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return lambda image: session.run(["logits"], {"image": image})[0]


def open_openvino(model: Path) -> Network:
    """Compile the file for the CPU with OpenVINO's defaults, its batch fixed at 1."""
    import openvino

    core = openvino.Core()
    graph = core.read_model(model)
    graph.reshape([1, 1, SIDE, SIDE])
    compiled = core.compile_model(graph, "CPU")
    return lambda image: compiled(image)["logits"]


def open_torch(_model: Path) -> Network:
    """Build timm's EfficientNet-Lite0 with one input channel and four classes, eval mode."""
    import timm
    import torch

    network = timm.create_model("tf_efficientnet_lite0", in_chans=1, num_classes=4).eval()

    def run(image: NDArray[np.uint8]) -> Any:
        with torch.inference_mode():
            return network((torch.from_numpy(image).float() - 127) / 128).numpy()

    return run


ENGINES: dict[str, Callable[[Path], Network]] = {
    "int8": open_onnxruntime,
    "fp32": open_onnxruntime,
    "torch": open_torch,
    "openvino": open_openvino,
}


def screen_folder(folder: Path, network: Network, out: Path | None) -> dict[str, Any]:
    """Run every film of `folder`; write path and probabilities to `out`; return what happened."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    rows, failed = [], dict[str, str]()
    started = time.perf_counter()
    for path in paths:
        try:
            image = to_input(read_film(path))
        except Exception as error:  # noqa: BLE001 - whatever a plug-in raises: the film is counted
            failed[path.name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            continue
        powers = np.exp(np.asarray(network(image))[0].astype(np.float64))
        rows.append([path.name, *(powers / powers.sum()).round(4)])
    loop_s = time.perf_counter() - started
    if out is not None:
        with out.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    return {"films": len(paths), "read": len(rows), "failed": failed, "loop_s": loop_s}


def main() -> None:
    """Parse the command line, run the loop, print one line of JSON."""
    started = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", choices=sorted(ENGINES), default="int8")
    parser.add_argument("--model", type=Path, default=INT8, help="default: the bundled INT8 file")
    parser.add_argument("--out", type=Path, help="CSV of path and probabilities")
    options = parser.parse_args()
    try:
        import cv2  # noqa: F401 - absent packages are told before the first film
        import pydicom  # noqa: F401

        network = ENGINES[options.engine](options.model)
        network(np.zeros((1, 1, SIDE, SIDE), np.uint8))
    except ModuleNotFoundError as error:
        print(f"missing: {error.name}", file=sys.stderr)
        sys.exit(MISSING)
    start_s = time.perf_counter() - started
    told = screen_folder(options.folder, network, options.out)
    print(json.dumps({"engine": options.engine, "start_s": start_s, **told}))


if __name__ == "__main__":
    main()
