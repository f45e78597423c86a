"""The network as the clinic runs it: one ONNX Runtime session on the CPU."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ModelError
from edge_infer.model.model_card import CLASSES, ModelCard
from edge_infer.model.model_file import ModelFile, load_model_file
from edge_infer.model.preprocess import PREPROCESSING_VERSION
from edge_infer.model.runtime import (
    UNWANTED_OPTIMIZERS,
    import_onnxruntime,
    share_bounded_memory,
)
from edge_infer.pc.native_code import THREADS_PER_PROCESS

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, NodeArg, RunOptions

_NEWER = re.compile(r"IR version|opset|NOT_IMPLEMENTED")
"""What ONNX Runtime says of a format, or an operator's form, that it does not know yet."""


@dataclass(frozen=True, kw_only=True)
class ModelOutput:
    """What the network says of N films, K outputs: the classes in order of CLASSES, then `referral`
    where the network has it."""

    logits: NDArray[np.float32]
    """[N, K], not calibrated; K is 4 or 5."""
    cam: NDArray[np.float32]
    """[N, K, h, w] class activation maps; their mean plus a bias is the logit."""
    gate: NDArray[np.float32] | None = None
    """[N, states], in order of the card's gate; None where the model has none."""


class Classifier:
    """A verified model file, ready to run."""

    def __init__(self, session: InferenceSession, file: ModelFile) -> None:
        self.card = file.card
        self.sha256 = file.sha256
        self.path = file.path
        self._session = session
        self._order = output_order(file.card)
        self._outputs = ["logits", "cam"] + ["gate"] * (file.card.gate is not None)

    @classmethod
    def load(cls, path: Path, *, threads: int = THREADS_PER_PROCESS) -> Classifier:
        """Load a model file; ModelError when its card, hash, or graph is not as contracted."""
        return cls.open(load_model_file(path), threads=threads)

    @classmethod
    def open(cls, file: ModelFile, *, threads: int = THREADS_PER_PROCESS) -> Classifier:
        """Open the model of a file already read; ModelError when its graph is not as contracted."""
        if file.card.input.preprocessing_version != PREPROCESSING_VERSION:
            raise ModelError(
                f"{file.path} expects preprocessing {file.card.input.preprocessing_version}, this "
                f"program does {PREPROCESSING_VERSION}: install the version it was exported with."
            )
        session = _open_session(file.data, file.path, threads)
        _check_graph(session, file.card, file.path)
        return cls(session, file)

    @property
    def threads(self) -> int:
        """Threads that one run may use."""
        return int(self._session.get_session_options().intra_op_num_threads)

    def run(self, images: NDArray[np.uint8], *, limit_s: float | None = None) -> ModelOutput:
        """Run the network on uint8 [N, 1, height, width], for at most about `limit_s` seconds.

        Raises ValueError for any other array, ModelError where ONNX Runtime fails.
        """
        expected = (1, self.card.input.height, self.card.input.width)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != expected:
            raise ValueError(f"expected uint8 [N, {expected}], got {images.dtype} {images.shape}")
        try:
            with _time_limit(limit_s) as options:
                logits, cam, *gate = self._session.run(self._outputs, {"image": images}, options)
        except Exception as error:
            raise ModelError(
                f"The model {self.card.name} {self.card.version} failed while running in ONNX "
                "Runtime: copy its file again, or re-export it."
            ) from error
        return ModelOutput(
            logits=logits[:, self._order], cam=cam[:, self._order], gate=gate[0] if gate else None
        )


@contextmanager
def _time_limit(limit_s: float | None) -> Iterator[RunOptions | None]:
    """Give options with which a run ends, in an error, after the node that the limit falls in."""
    if limit_s is None:
        yield None
        return
    options = import_onnxruntime().RunOptions()
    timer = Timer(limit_s, setattr, (options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        yield options
    finally:
        timer.cancel()


def output_order(card: ModelCard) -> list[int]:
    """Return the graph's outputs in order of CLASSES, the referral logit, if any, last."""
    order = [card.classes.index(name) for name in CLASSES]
    return order + list(range(len(order), len(card.self_test.logits[0])))


def _open_session(data: bytes, path: Path, threads: int) -> InferenceSession:
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Spinning threads would take the cores from the other processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    share_bounded_memory()
    options.add_session_config_entry("session.use_env_allocators", "1")
    try:
        return onnxruntime.InferenceSession(
            data,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=list(UNWANTED_OPTIMIZERS),
        )
    except Exception as error:
        if _NEWER.search(str(error)):
            raise ModelError(
                f"The model in {path} is newer than ONNX Runtime {onnxruntime.__version__} of this "
                "PC: update onnxruntime."
            ) from error
        raise ModelError(
            f"The model in {path} cannot be loaded by ONNX Runtime: copy it again, or re-export it."
        ) from error


def _check_graph(session: InferenceSession, card: ModelCard, path: Path) -> None:
    inputs = {node.name: node for node in session.get_inputs()}
    outputs = {node.name: node for node in session.get_outputs()}
    image, logits, cam = inputs.get("image"), outputs.get("logits"), outputs.get("cam")
    # The card holds one row for each output, and five only beside a `referral` block.
    count = len(card.self_test.logits[0])
    fits = (
        len(inputs) == 1
        and image is not None
        and image.type == "tensor(uint8)"
        and image.shape[1:] == [1, card.input.height, card.input.width]
        and not isinstance(image.shape[0], int)
        and logits is not None
        and cam is not None
        and logits.type == cam.type == "tensor(float)"
        and logits.shape[1:] == [count]
        and len(cam.shape) == 4
        and cam.shape[1] == count
        # torch's exporter may fix the batch of its example (pytorch #157621).
        and not isinstance(logits.shape[0], int)
        and not isinstance(cam.shape[0], int)
        and _fits_gate(outputs.get("gate"), card)
    )
    if not fits:
        raise ModelError(f"The graph in {path} does not fit its card: re-export with cxr-export.")


def _fits_gate(gate: NodeArg | None, card: ModelCard) -> bool:
    if card.gate is None or gate is None:
        return card.gate is None
    return bool(
        gate.type == "tensor(float)"
        and gate.shape[1:] == [len(card.gate.states)]
        and not isinstance(gate.shape[0], int)
    )
