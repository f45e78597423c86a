"""Export a randomly initialised EfficientNet-Lite0 as fp32 ONNX, to time; needs the train extra.

    python -m benchmarks.random_fp32 FILE

The same architecture and graph as the released models (cxr_train, cxr_export); speed does not
depend on the weights.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.stock import MISSING, SIDE


def main() -> None:
    """Write the file named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    try:
        from cxr_export.to_onnx import export_onnx
        from cxr_train.fit.network import build_network
    except ModuleNotFoundError as error:
        print(f"missing: {error.name}", file=sys.stderr)
        sys.exit(MISSING)
    export_onnx(build_network("efficientnet_lite0"), options.file, size=SIDE)


if __name__ == "__main__":
    main()
