"""Gates, calibration films and card facts by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cxr_export.calibration_set import choose_calibration
from cxr_export.parity import (
    LEAST_AGREEMENT_AS_INT8,
    check_fp32,
    check_int8,
    films_to_show,
    most_changed,
)
from cxr_export.val_figures import ValFilms, fit_operating_points, measure_val
from cxr_train.data.manifest import Example
from cxr_train.errors import DataError
from edge_infer.model.classifier import Classifier
from edge_infer.model.findings import printed_scores
from edge_infer.model.model_card import ScoreRule
from tests.train.tiny_films import film, write_film

RULE = ScoreRule(temperature=1.0)


def test_gates_by_hand() -> None:
    examples = tuple(film(k % 4, str(k)) for k in range(400))
    labels = np.array([example.label for example in examples])
    fp32 = np.eye(4, dtype=np.float32)[labels] * 6
    same = check_int8(fp32, fp32.copy(), examples)
    assert same.passed and same.class_agreement == 1.0 and same.tb_missed_int8 == 0
    wrong = fp32.copy()
    wrong[3:23:4] = [6, 0, 0, 0]  # five TB films become normal: 1.25 % of all, five missed
    parity = check_int8(fp32, wrong, examples)
    assert not parity.passed
    assert parity.class_agreement == pytest.approx(1 - 5 / 400)
    assert parity.tb_missed_int8 - parity.tb_missed_fp32 == 5
    # Five of 400 films do not speak against 99 in 100; what they were does.
    assert [gate.passed for gate in parity.gates] == [True, False, False]
    assert check_fp32(fp32, fp32 + 5e-4).passed
    assert not check_fp32(fp32, fp32 + 2e-3).passed


def test_calibration_comes_from_train_only_and_from_every_cell() -> None:
    examples = [
        film(label, f"{split}{label}{source}{k}", source, split)
        for split in ("train", "val", "test")
        for label in range(4)
        for source in ("a", "b")
        for k in range(30)
    ]
    chosen = choose_calibration(examples, count=80)
    assert {example.split for example in chosen} == {"train"}
    assert len(chosen) == len(set(chosen)) == 80
    cells = [(example.label, example.source) for example in chosen]
    assert {cells.count(cell) for cell in cells} == {10}
    assert choose_calibration(examples, count=80) == chosen
    with pytest.raises(DataError, match="no training film"):
        choose_calibration([example for example in examples if example.split == "val"])


def test_figures_stand_per_input_type(tmp_path: Path) -> None:
    """By content: the DICOM file here is named .png."""
    dicom, raster = tmp_path / "d.png", tmp_path / "r.png"
    dicom.write_bytes(bytes(128) + b"DICM" + bytes(64))
    write_film(raster, 0, 0)
    examples = tuple(
        replace(film(k % 4, str(k), "here"), path=dicom if k < 60 else raster) for k in range(100)
    )
    logits = np.eye(4, dtype=np.float32)[[example.label for example in examples]] * 4
    rows = list(measure_val(ValFilms(examples=examples, logits=logits), RULE, 500))
    sizes = {(row.input_type, row.source): row.n for row in rows if row.name == "accuracy"}
    assert sizes == {
        ("dicom", "all"): 60,
        ("dicom", "here"): 60,
        ("raster", "all"): 40,
        ("raster", "here"): 40,
    }


def test_thresholds_reach_the_sensitivity_asked_for() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(160) % 4
    logits = (2 * np.eye(4)[labels] + random.normal(0, 1, (160, 4))).astype(np.float32)
    val = ValFilms(
        examples=tuple(film(int(k), str(i)) for i, k in enumerate(labels)), logits=logits
    )
    reached = []
    for target in (0.5, 0.95, 1.0):
        point = fit_operating_points(val, RULE, target_sensitivity=target).refer_tb
        assert point.target_sensitivity == target
        scores = printed_scores(logits, RULE)[0][labels == 3]
        assert target <= (scores >= point.tenths).mean() < target + 0.05
        # Films of the likeliest class TB come on top.
        assert point.sensitivity.value >= (scores >= point.tenths).mean()
        reached.append((point.threshold, -point.specificity.value))
    assert reached == sorted(reached, reverse=True) and len(set(reached)) == 3


def test_the_card_names_its_data_and_no_machine(model: Path, run: Path) -> None:
    card = Classifier.load(model).card
    assert "Trained on 48 films" in card.data_statement
    assert "48 validation films" in card.data_statement
    assert "research use only" in card.data_statement
    assert str(run.parent) not in card.to_json()


def test_two_tb_films_of_two_hundred_may_be_missed_more() -> None:
    examples = tuple(film(k % 4, str(k)) for k in range(800))
    labels = np.array([example.label for example in examples])
    fp32 = np.eye(4, dtype=np.float32)[labels] * 6
    for count, passes in ((2, True), (3, False)):
        lost = fp32.copy()
        lost[3 : 3 + 4 * count : 4] = [6, 0, 0, 0]
        parity = check_int8(fp32, lost, examples)
        assert parity.tb_missed_int8 - parity.tb_missed_fp32 == count
        assert parity.gates[2].passed is passes and parity.gates[2].limit == "<= 2"


def test_a_network_trained_as_int8_may_differ_from_its_fp32_self_on_more_films() -> None:
    examples = tuple(film(k % 4, str(k)) for k in range(400))
    labels = np.array([example.label for example in examples])
    fp32 = np.eye(4, dtype=np.float32)[labels] * 6
    other = fp32.copy()
    other[0:24:4] = [0, 6, 0, 0]  # 1.5 % of all films
    assert check_int8(fp32, other, examples).gates[0].limit == "<= 8 of 400"
    other[0:48:4] = [0, 6, 0, 0]  # 3 % of all films
    assert not check_int8(fp32, other, examples).gates[0].passed
    seen = check_int8(fp32, other, examples, least_agreement=LEAST_AGREEMENT_AS_INT8)
    assert seen.gates[0].passed and seen.gates[0].limit == "<= 13 of 400"


def scored(films: int, wrong_before: int = 0) -> tuple[tuple[Example, ...], NDArray[np.float32]]:
    """Return films and logits that call all but the first `wrong_before` normal films right."""
    examples = tuple(film(k % 4, str(k)) for k in range(films))
    logits = np.eye(4, dtype=np.float32)[[example.label for example in examples]] * 6
    logits[0 : 4 * wrong_before : 4] = [0, 6, 0, 0]
    return examples, logits


def test_the_number_of_films_decides_how_many_may_change() -> None:
    assert [most_changed(n, 0.99) for n in (40, 72, 400, 940)] == [2, 2, 8, 15]
    assert most_changed(72, 0.9) > most_changed(72, 0.98) > 2
    assert films_to_show(0.99) == 381


def test_one_of_72_films_is_no_proof_and_says_so() -> None:
    examples, fp32 = scored(72)
    for changed, passes in ((1, True), (2, True), (3, False)):
        other = fp32.copy()
        other[0 : 4 * changed : 4] = [0, 6, 0, 0]
        gate = check_int8(fp32, other, examples).gates[0]
        assert gate.passed is passes
        assert gate.note.startswith(f"{changed} of 72 films changed class")
    one = check_int8(fp32, np.vstack([[[0, 6, 0, 0]], fp32[1:]]).astype(np.float32), examples)
    assert one.passed and "so few films that proves nothing: 381 validation" in one.gates[0].note
    many, logits = scored(800)
    assert "is shown" in check_int8(logits, logits, many).gates[0].note


def test_a_model_that_int8_makes_better_is_not_refused_for_it() -> None:
    examples, right = scored(72)
    _, wrong = scored(72, wrong_before=6)
    assert not check_int8(right, wrong, examples).passed
    better = check_int8(wrong, right, examples)
    assert better.passed and "does no worse" in better.gates[0].note
    _, other = scored(72, wrong_before=18)
    assert not check_int8(other, right, examples).gates[0].passed, "a quarter is another network"


def test_a_drop_that_a_few_films_make_is_chance_and_a_clear_one_is_not() -> None:
    examples, fp32 = scored(72)
    for changed, passes in ((1, True), (8, False)):
        _, int8 = scored(72, wrong_before=changed)
        gate = check_int8(fp32, int8, examples).gates[1]
        assert gate.measured > 0.01 and gate.passed is passes
