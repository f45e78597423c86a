"""Make tiny.onnx: a real, self-describing model of a few kilobytes with made-up weights.

Run by hand after a change of the card's schema: python -m tests.edge.model.make_tiny_onnx
Its one 8x8 convolution looks at brightness, so that brighter films score higher for tuberculosis.
Tests write its sibling with a referral logit, which rises with what is bright in the middle rows of
each place, by `write_referral_model`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edge_infer.model.model_card import (
    CLASSES,
    HISTOGRAM_BINS,
    InputSpec,
    Interval,
    Metric,
    ModelCard,
    OperatingPoint,
    OperatingPoints,
    Quantization,
    Referral,
    ScoreHistogram,
    SelfTest,
)
from edge_infer.model.model_file import hash_without_card, with_card
from edge_infer.model.preprocess import PREPROCESSING_VERSION
from edge_infer.model.self_test import FORMULA, self_test_inputs

TINY = Path(__file__).with_name("tiny.onnx")
SIDE = 64


REFERRAL = Referral(
    statement="Made up for tests.",
    head=0.5,
    tuberculosis=0.25,
    abnormal=0.75,
    offset=-0.5,
    map="referral",
)


def make_graph(*, with_referral: bool = False) -> bytes:
    """Return the model without a card, with four outputs or five."""
    random = np.random.default_rng(7)
    weight = random.normal(0, 0.02, (4, 1, 8, 8)).astype(np.float32)
    weight[3] += 0.03
    weight[0] -= 0.02
    bias = np.array([0.5, 0.0, -0.25, -0.5], dtype=np.float32)
    if with_referral:
        middle = np.zeros((1, 1, 8, 8), np.float32)
        middle[:, :, 2:6] = 0.03
        weight, bias = np.concatenate([weight, middle]), np.append(bias, np.float32(0.25))
    constants = {
        "mean": np.float32(138),
        "std": np.float32(76),
        "weight": weight,
        "axes": np.array([2, 3], dtype=np.int64),
        "bias": bias,
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["grey", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["scaled"]),
        helper.make_node("Conv", ["scaled", "weight"], ["cam"], strides=[8, 8]),
        helper.make_node("ReduceMean", ["cam", "axes"], ["pooled"], keepdims=0),
        helper.make_node("Add", ["pooled", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 1, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(bias)]),
            helper.make_tensor_value_info("cam", TensorProto.FLOAT, ["N", len(bias), 8, 8]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def write_referral_model(path: Path, referral: Referral | None = REFERRAL) -> Path:
    """Write the model with five outputs and a card that says so, and return its path."""
    graph = make_graph(with_referral=True)
    card = replace(make_card(graph), schema="1.2", referral=referral)
    path.write_bytes(with_card(graph, card.to_json()))
    return path


def make_card(data: bytes) -> ModelCard:
    """Return a card whose every field is filled; its figures are made up, its self-test is real."""
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    logits = session.run(["logits"], {"image": self_test_inputs(SIDE, SIDE)})[0]
    estimate = Interval(value=0.9, low=0.8, high=0.95)
    point = OperatingPoint(
        threshold=40.0,
        target_sensitivity=0.95,
        sensitivity=estimate,
        specificity=estimate,
        n_positive=20,
        n_negative=80,
        n_groups=100,
        population="made up for tests",
    )
    zeros = (0,) * HISTOGRAM_BINS
    return ModelCard(
        schema="1.0",
        name="tiny",
        version="0.0.1",
        classes=CLASSES,
        input=InputSpec(height=SIDE, width=SIDE, preprocessing_version=PREPROCESSING_VERSION),
        temperature=1.25,
        operating_points=OperatingPoints(refer_tb=point, abnormal=point),
        histograms=tuple(
            ScoreHistogram(class_name=name, tb_score=zeros, abnormal_score=zeros)
            for name in CLASSES
        ),
        metrics=(
            Metric(
                split="val",
                source="all",
                input_type="raster",
                name="macro_f1",
                class_name="",
                estimate=estimate,
                n=100,
                groups=100,
            ),
        ),
        data_fingerprint="0" * 64,
        data_statement="no data",
        recipe="{}",
        git_revision="",
        quantization=Quantization(
            method="none",
            calibration_images=0,
            exempt_nodes=("cam",),
            int8_convolutions=0,
            fp32_convolutions=1,
            largest_logit_difference=0.0,
            mean_logit_difference=0.0,
            class_agreement=1.0,
            macro_f1_drop=0.0,
            tb_missed_more=0,
        ),
        modalities=("CR", "DX"),
        views=("PA", "AP"),
        min_age_years=15,
        intended_use="Tests only.",
        self_test=SelfTest(
            formula=FORMULA,
            logits=tuple(tuple(round(float(v), 6) for v in row) for row in logits),
            tolerance=0.01,
        ),
        model_sha256=hash_without_card(data),
    )


if __name__ == "__main__":
    graph = make_graph()
    TINY.write_bytes(with_card(graph, make_card(graph).to_json()))
