"""The head that `benchmarks.rounding_cost` cuts out of a model computes what the model does."""

from __future__ import annotations

import numpy as np
import onnx

from benchmarks.rounding_cost import compare, cut, take_apart
from cxr_train.int8_layers import open_with_layers
from edge_infer.model.bundled import bundled_model
from edge_infer.model.self_test import self_test_inputs


def test_the_cut_head_says_what_the_model_says() -> None:
    model = onnx.load(bundled_model())
    parts = take_apart(model)
    inputs = ["head_features", parts.tap_in]
    whole = open_with_layers(model, [parts.tap, *inputs])
    names = ["logits", parts.tap, *inputs]
    logits, tap, features, tapped = whole.run(names, {"image": self_test_inputs(224, 224)})
    np.testing.assert_array_equal(tap.astype(np.float64), tapped)
    head = open_with_layers(cut(model, inputs), [])
    (again,) = head.run(None, dict(zip(inputs, (features, tapped), strict=True)))
    np.testing.assert_array_equal(again, logits)


def test_a_cost_is_paired_by_film() -> None:
    is_tb = np.arange(40) % 2 == 0
    good = np.where(is_tb, 1.0, 0.0)
    assert compare(good, good, is_tb).endswith("+0.0000 (+0.0000 to +0.0000)")
    assert " 1.0000 | 0.0000 | -1.0000 " in compare(-good, good, is_tb)
