"""ONNX Runtime, imported in one place: silent, and with its telemetry off."""

from __future__ import annotations

import os
from types import ModuleType

UNWANTED_OPTIMIZERS = ("WeightBiasQuantization",)
"""It would quantize, at load and in 8 bits, the very convolutions the exporter left in fp32."""


def import_onnxruntime() -> ModuleType:
    """Import ONNX Runtime without its usage reporting.

    Since 1.32 a session otherwise leaves a device id and a database of events in the user's cache
    folder, meant for sending. The variable is read once, when the library is loaded;
    `disable_telemetry_events()` comes too late for the files.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    module: ModuleType = onnxruntime
    return module
