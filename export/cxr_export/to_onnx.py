"""The checkpoint as a plain fp32 ONNX graph: uint8 in, logits and class activation map out."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch

from cxr_export.errors import ParityError
from cxr_train.fit.network import CamNetwork

OPSET = 18


def export_onnx(network: CamNetwork, path: Path, *, size: int) -> None:
    """Write `network` as ONNX with a symbolic batch; ParityError if the batch came out fixed."""
    # The example holds two films: with one, torch.export specialises the batch to 1 (pytorch
    # issue 157621).
    example = torch.zeros((2, 1, size, size), dtype=torch.uint8)
    with _quiet():
        torch.onnx.export(
            network.eval(),
            (example,),
            path,
            input_names=["image"],
            output_names=["logits", "cam"],
            opset_version=OPSET,
            dynamo=True,
            # One file: the card and the weights must not be separable.
            external_data=False,
            dynamic_shapes={"image": {0: torch.export.Dim("batch", min=1, max=4096)}},
            verbose=False,
        )
    model = onnx.load(path)
    _check_batch(model)
    _forget_origin(model)
    onnx.save(model, path)


def _check_batch(model: onnx.ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        if not value.type.tensor_type.shape.dim[0].dim_param:
            raise ParityError(f"The exported graph fixes the batch size of '{value.name}'.")


def _forget_origin(model: onnx.ModelProto) -> None:
    """Drop what the exporter notes of this machine: a stack trace with source paths on each node.

    It would travel with every released file, 55 KB of it for a ResNet-18, and make the file's hash
    depend on where the exporter was installed.
    """
    graph = model.graph
    values = (*graph.input, *graph.output, *graph.value_info)
    for part in (model, graph, *graph.node, *graph.initializer, *values):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter logs and warns about its own internals; nothing there is for the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
