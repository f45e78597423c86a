"""Depthwise weights of 8 bits give the same sums on processors with and without AVX2, emulated."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cxr_export.candidates import make_int8
from cxr_export.quantize import Method, prepare_for_quantization, quantize
from cxr_export.to_onnx import export_onnx
from cxr_train.fit.network import CamNetwork

SIDE, WIDTH = 16, 32
PROGRAM = """
import sys, numpy
from cxr_export.quantize import run_logits
from pathlib import Path
print(run_logits(Path(sys.argv[1]), numpy.load(sys.argv[2])).tobytes().hex())
"""


def make_graph(folder: Path) -> Path:
    """Write a network whose sums are as large as can be: everything positive, nothing small."""
    torch.manual_seed(0)
    features = nn.Sequential(
        nn.Conv2d(1, WIDTH, 3, padding=1),
        nn.ReLU6(),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH),
        nn.ReLU(),
        nn.Conv2d(WIDTH, WIDTH, 1),
        nn.ReLU(),
    )
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.uniform_(layer.weight, 0.5, 1.0)
            nn.init.constant_(layer.bias, 0.5)  # type: ignore[arg-type]
    nn.init.constant_(features[0].bias, 4.0)  # type: ignore[arg-type]
    network = CamNetwork(features, WIDTH)
    fp32, prepared = folder / "fp32.onnx", folder / "prepared.onnx"
    export_onnx(network, fp32, size=SIDE)
    prepare_for_quantization(fp32, prepared)
    return prepared


def logits(model: Path, films: Path, processor: str) -> str:
    emulator = str(shutil.which("qemu-x86_64"))
    command = [emulator, "-cpu", processor, sys.executable, "-c", PROGRAM, str(model), str(films)]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout


@pytest.mark.slow
def test_with_and_without_avx2_eight_bits_agree_in_depthwise_layers_alone(tmp_path: Path) -> None:
    if shutil.which("qemu-x86_64") is None:
        pytest.skip("qemu-x86_64 is not installed (Debian package qemu-user)")
    prepared = make_graph(tmp_path)
    pixels = np.random.default_rng(0).integers(120, 256, (3, 1, SIDE, SIDE), dtype=np.uint8)
    np.save(tmp_path / "films.npy", pixels)
    ours, everywhere = tmp_path / "ours.onnx", tmp_path / "everywhere.onnx"
    make_int8(prepared, ours, pixels, method=Method.MINMAX)
    quantize(prepared, everywhere, pixels, method=Method.MINMAX, seven_bits=False)

    def on(model: Path, processor: str) -> str:
        return logits(model, tmp_path / "films.npy", processor)

    assert on(ours, "Haswell") == on(ours, "SandyBridge")
    # The emulator does saturate as AVX2 does: 8 bits in the pointwise layer are told apart.
    assert on(everywhere, "Haswell") != on(everywhere, "SandyBridge")
