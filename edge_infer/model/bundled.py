"""Where the model that comes with the package lies."""

from __future__ import annotations

from pathlib import Path

from edge_infer.errors import ModelError

BUNDLED_NAME = "cxr-lite0.onnx"


def bundled_model() -> Path:
    """Return the bundled model's path; ModelError when the installation lacks it."""
    path = Path(__file__).resolve().parents[1] / "models" / BUNDLED_NAME
    if not path.is_file():
        raise ModelError(
            "The bundled model is missing from this installation: "
            "reinstall cxr-edge, or name a model with --model."
        )
    return path
