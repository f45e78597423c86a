"""ONNX Runtime, imported in one place: silent, and with its telemetry off."""

from __future__ import annotations

import os
from functools import cache
from types import ModuleType

from edge_infer.pc.native_code import silent_stderr

UNWANTED_OPTIMIZERS = ("WeightBiasQuantization", "ConstantFolding", "MatmulTransposeFusion")
"""The first would quantize, at load and in 8 bits, the very convolutions the exporter left in fp32.
The second would run, at load and without a bound, what depends on no film: a file of 100 kB filled
2.8 GB. The exporter has folded what a network has; logits and speed are the same without it. The
third then finds a product in double that 1.23 has no fused kernel for."""

MOST_MEMORY = 2**30
"""Bytes for weights and maps of one process: the largest network of ours needs a tenth."""


def import_onnxruntime() -> ModuleType:
    """Import ONNX Runtime without its usage reporting and its complaints of missing GPUs.

    Since 1.32 a session otherwise leaves a device id and a database of events in the user's cache
    folder, meant for sending. The variable is read once, when the library is loaded;
    `disable_telemetry_events()` comes too late for the files. While it is loaded, 1.23 warns on
    file descriptor 2 where a graphics card has no entry of its vendor, before any level can be set.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    with silent_stderr():
        import onnxruntime

    module: ModuleType = onnxruntime
    return module


@cache
def share_bounded_memory() -> None:
    """Have all sessions of this process take their memory from one store of MOST_MEMORY bytes.

    Beyond it a run fails, where a graph of a few bytes that makes 6 GB would stop the PC. Sessions
    must be told `session.use_env_allocators`.
    """
    onnxruntime = import_onnxruntime()
    place = onnxruntime.OrtMemoryInfo(
        "Cpu",
        onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR,
        0,
        onnxruntime.OrtMemType.DEFAULT,
    )
    onnxruntime.create_and_register_allocator(
        place, onnxruntime.OrtArenaCfg({"max_mem": MOST_MEMORY})
    )
