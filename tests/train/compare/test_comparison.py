"""The comparison: effects by hand and by construction, tables, page, the command's whole way."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from cxr_train.compare.cells import Budget, Cell, check_plan, parse_budget, plan_cells
from cxr_train.compare.comparison import CellResult, Comparison, Deployed
from cxr_train.compare.conclusions import conclude
from cxr_train.compare.effects import Effect, compare_pair, correct_by_holm
from cxr_train.compare.page import write_page
from cxr_train.compare.pictures import draw_all
from cxr_train.compare.table import caption, describe_effects, latex, markdown, rows, write_tables
from cxr_train.config import Augment
from cxr_train.errors import ConfigError
from cxr_train.evaluate.ledger import Look, append
from cxr_train.figures.measures import MeasuredFilms, ModelScores, measure
from edge_infer.model.model_card import Interval, ScoreRule
from tests.export.small_run import run_python
from tests.train.tiny_films import film, write_data

LABELS = np.arange(200) % 4
RULE = ScoreRule(temperature=1.0)
EXAMPLES = tuple(film(int(label), f"patient{k // 2}") for k, label in enumerate(LABELS))


def make_films(hit_rate: float, seeds: int = 3) -> MeasuredFilms:
    """Return films that models, one per seed, call right with this chance."""
    models = []
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        right = random.random(len(LABELS)) < hit_rate
        called = np.where(right, LABELS, (LABELS + 1) % 4)
        logits = (4 * np.eye(4, dtype=np.float32)[called] + random.normal(0, 0.5, (200, 4))).astype(
            np.float32
        )
        models.append(ModelScores(logits=logits, rule=RULE, tb_threshold=400))
    return MeasuredFilms(split="val", input_type="any", examples=EXAMPLES, models=tuple(models))


def make_comparison() -> Comparison:
    results = []
    for arch, augment, rate in (
        ("cnn5", Augment.NONE, 0.6),
        ("resnet18", Augment.STANDARD, 0.8),
    ):
        films = make_films(rate)
        results.append(
            CellResult(
                cell=Cell(arch=arch, augment=augment, seeds=(0, 1, 2)),
                parameters=1_600_000,
                macs=250_000_000,
                sha256="ab" * 32,
                films={"val": films},
                metrics=tuple(measure(films)),
                deployed=None
                if arch == "cnn5"
                else Deployed(
                    megabytes=11.3,
                    milliseconds=4.2,
                    films={"val": replace(films, models=films.models[:1])},
                ),
                int8_metrics=()
                if arch == "cnn5"
                else tuple(measure(replace(films, models=films.models[:1]))),
                not_deployed="3 of 72 films changed class" if arch == "cnn5" else "",
                history=({"epoch": 0, "val_macro_f1": 0.5}, {"epoch": 1, "val_macro_f1": 0.6}),
            )
        )
    effects = compare_pair(make_films(0.6), make_films(0.8), ("cnn5, none", "resnet18, standard"))
    return Comparison(
        budget=Budget(size=96, epochs=2),
        train_films=500,
        splits=("val",),
        results=tuple(sorted(results, key=lambda result: -result.val_macro_f1)),
        effects=correct_by_holm(effects),
        ages="age unknown",
    )


def test_no_difference_is_no_effect_and_a_large_one_is() -> None:
    none, _ = compare_pair(make_films(0.7), make_films(0.7), ("a", "b"))
    assert none.difference == Interval(value=0, low=0, high=0)
    assert none.p == 1.0
    large, by_accuracy = compare_pair(make_films(0.5), make_films(0.9), ("a", "b"))
    assert 0.3 < large.difference.low < large.difference.value < large.difference.high < 0.5
    assert large.p is not None and large.p < 0.01
    assert (by_accuracy.figure, by_accuracy.seeds, by_accuracy.groups) == ("accuracy", 3, 100)


def test_one_seed_gives_an_interval_and_no_p_value() -> None:
    effect, _ = compare_pair(make_films(0.5, 1), make_films(0.9, 1), ("a", "b"))
    assert effect.p is None and effect.difference.low > 0
    assert correct_by_holm([effect])[0].p_holm is None


def test_seeds_that_disagree_widen_the_interval() -> None:
    steady, _ = compare_pair(make_films(0.6), make_films(0.7), ("a", "b"))
    first, second = make_films(0.6), make_films(0.7)
    moody = replace(second, models=(first.models[0], *make_films(0.95).models[1:]))
    swinging, _ = compare_pair(first, moody, ("a", "b"))

    def width(effect: Effect) -> float:
        return effect.difference.high - effect.difference.low

    assert width(swinging) > 1.5 * width(steady)


@pytest.mark.slow
def test_under_no_difference_p_values_are_small_as_rarely_as_they_should_be() -> None:
    """Two models that guess alike on 60 random draws: few p-values under 0.05."""
    small = 0
    for draw in range(60):
        random = np.random.default_rng(draw)

        def guess(random: np.random.Generator = random) -> MeasuredFilms:
            models = tuple(
                ModelScores(
                    logits=random.normal(0, 1, (200, 4)).astype(np.float32),
                    rule=RULE,
                    tb_threshold=400,
                )
                for _ in range(3)
            )
            return replace(make_films(0.5), models=models)

        effect, _ = compare_pair(guess(), guess(), ("a", "b"))
        assert effect.p is not None
        small += effect.p < 0.05
    assert small <= 9


def test_holm_by_hand() -> None:
    def effect(p: float | None, figure: str = "macro_f1") -> Effect:
        zero = Interval(value=0, low=0, high=0)
        return Effect(first="a", second="b", figure=figure, difference=zero, seeds=3, groups=9, p=p)

    corrected = correct_by_holm(
        [effect(0.04), effect(0.01), effect(0.03), effect(None), effect(0.5, "accuracy")]
    )
    # 0.01 x 3, then 0.03 x 2, then 0.04 x 1 which may not fall below what came before.
    assert [one.p_holm for one in corrected] == pytest.approx([0.06, 0.03, 0.06, None, 0.5])


def test_the_plan_is_the_studys_four_cells_and_more() -> None:
    cells = plan_cells(["mobilenet_v2"], seeds=3)
    assert [(c.name, len(c.seeds)) for c in cells] == [
        ("cnn5, none", 3),
        ("cnn5, standard", 3),
        ("resnet18, none", 3),
        ("resnet18, standard", 3),
        ("cnn5, strong", 1),
        ("resnet18, strong", 1),
        ("mobilenet_v2, standard", 1),
    ]
    lite = plan_cells(["efficientnet_lite0"], seeds=1)[-2:]
    assert [cell.name for cell in lite] == [
        "efficientnet_lite0, standard",
        "efficientnet_lite0 from ImageNet, standard",
    ]
    assert [cell.pretrained for cell in lite] == [False, True]
    assert len({cell.folder(Path("out"), 0) for cell in lite}) == 2
    assert len({cell.model(Path("out")) for cell in lite}) == 2
    assert parse_budget("96x8") == Budget(size=96, epochs=8)
    for wrong in ("96", "x8", "96x0x1", "big"):
        with pytest.raises(ConfigError, match="SIZExEPOCHS"):
            parse_budget(wrong)


def test_a_folder_holds_one_comparison(tmp_path: Path) -> None:
    out = tmp_path / "out"
    check_plan(out, Budget(size=96, epochs=8), "data")
    check_plan(out, Budget(size=96, epochs=8), "data")
    with pytest.raises(ConfigError, match="another budget"):
        check_plan(out, Budget(size=96, epochs=9), "data")
    with pytest.raises(ConfigError, match="other data"):
        check_plan(out, Budget(size=96, epochs=8), "more data")


def test_the_caption_says_where_the_weights_come_from() -> None:
    comparison = make_comparison()
    assert "training films, from scratch. " in caption(comparison)
    first, *others = comparison.results
    taken = replace(first, cell=replace(first.cell, pretrained=True))
    with_one = replace(comparison, results=(taken, *others))
    assert "from scratch unless it says from ImageNet. " in caption(with_one)


def test_tables_rank_by_val_and_leave_what_was_not_run_empty(tmp_path: Path) -> None:
    comparison = make_comparison()
    write_tables(comparison, tmp_path)
    with (tmp_path / "compare.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [(r["rank"], r["arch"], r["precision"]) for r in table] == [
        ("1", "resnet18", "fp32"),
        ("1", "resnet18", "int8"),
        ("2", "cnn5", "fp32"),
        ("2", "cnn5", "int8"),
    ]
    assert table[1]["ms_per_film"] == "4.20" and table[1]["seeds"] == "1"
    assert table[3]["macro_f1"] == table[3]["ms_per_film"] == ""
    assert not any(value in ("nan", "None", "0.0000") for row in table for value in row.values())
    assert float(table[0]["macro_f1_low"]) < float(table[0]["macro_f1"])
    plain = json.loads((tmp_path / "compare.json").read_text(encoding="utf-8"))
    assert plain["cells"][1]["int8"] is None and plain["caption"] == caption(comparison)
    assert len(list(rows(comparison))) == 4


def test_the_page_holds_everything_and_loads_nothing(tmp_path: Path) -> None:
    comparison = make_comparison()
    pictures = draw_all(comparison, tmp_path)
    assert list(pictures) == [
        "quality",
        "effects",
        "cost",
        "confusion",
        "roc",
        "precision-recall",
        "reliability",
        "learning",
    ]
    for name in pictures:
        ElementTree.parse(tmp_path / f"{name}.svg")
    page = write_page(comparison, pictures, tmp_path).read_text(encoding="utf-8")
    assert page.count("<svg ") == 8 and "not a medical device" in page
    assert not re.search(r'(src|href)=["\'](?!data:)', page)
    assert "96 px, 2 epochs" in page and "TB figures: age unknown" in page
    assert "none: 3 of 72 films changed class" in page and "adults" not in page
    named = replace(comparison.results[0], cell=Cell(arch="<b>", augment=Augment.NONE, seeds=(0,)))
    odd = replace(comparison, results=(named,))
    page = write_page(odd, draw_all(odd, tmp_path), tmp_path).read_text("utf-8")
    assert "&lt;b&gt;, none" in page and "<b>" not in page
    text = "\n".join([*markdown(comparison, ("accuracy",)), *describe_effects(comparison)])
    assert "| resnet18, standard | 3 | 0." in text and "(Holm)" in text


def test_the_study_stands_in_the_picture_of_its_cells(tmp_path: Path) -> None:
    quality = draw_all(make_comparison(), tmp_path)["quality"]
    dashed = [one for one in ElementTree.fromstring(quality).iter() if one.get("stroke-dasharray")]
    # One for each of the two cells that the study has, one for the legend.
    assert len(dashed) == 3 and ">0.755<" in quality and ">0.79<" in quality


def test_conclusions_follow_the_tests() -> None:
    comparison = make_comparison()
    told = "\n".join(conclude(comparison))
    assert "Highest on val: resnet18, standard" in told
    assert "better, p 0.0" in told and "TB figures: age unknown" in told
    assert "No INT8 figures of cnn5, none: 3 of 72 films changed class" in told
    same = compare_pair(make_films(0.7), make_films(0.7), ("a", "b"))
    none = "\n".join(conclude(replace(comparison, effects=correct_by_holm(same), ages="adults")))
    assert "no difference is shown, p 1.000" in none and "TB figures" not in none
    alone = compare_pair(make_films(0.5, 1), make_films(0.9, 1), ("a", "b"))
    one_seed = "\n".join(conclude(replace(comparison, effects=alone)))
    assert "with one seed the spread between trainings is unknown" in one_seed
    assert "better" not in one_seed


def test_tables_for_latex() -> None:
    lines = list(latex(make_comparison()))
    assert lines.count(r"\toprule") == lines.count(r"\bottomrule") == 2
    (row,) = [line for line in lines if line.startswith("resnet18, standard &")]
    assert row.count("&") == 5 and row.endswith(r" \\") and "$0." in row
    assert any(r"macro\_f1" in line for line in lines)


def test_a_look_is_counted_once(tmp_path: Path) -> None:
    ledger = tmp_path / "looks.csv"
    look = Look(
        date="2026-01-01",
        commit="c",
        model_sha256="a",
        model="m",
        split="test",
        n=9,
        accuracy="0.5",
        macro_f1="0.4",
    )
    append([look], ledger)
    append([look, replace(look, split="published")], ledger)
    with ledger.open(encoding="utf-8", newline="") as file:
        assert [row["split"] for row in csv.DictReader(file)] == ["test", "published"]


@pytest.mark.slow
def test_the_command_compares_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    data = write_data(tmp_path / "영상", train=6, val=6)
    words: list[object] = ["compare", data, "--out", tmp_path / "out", "--budget", "32x2"]
    words += ["--seeds", 1, "--no-int8", "--jobs", 2, "--cache", tmp_path / "cache"]
    program = "from cxr_train.cli import main\nmain()"
    done = run_python(program, *words)
    assert done.returncode == 0, done.stderr
    assert "Every cell: 32 px, 2 epochs, 24 training films" in done.stdout
    assert "p " not in done.stdout.split("macro_f1:")[1], "one seed has no p-value"
    (tmp_path / "out" / "runs" / "cnn5-none-0" / "run.json").unlink()
    again = run_python(program, *words)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("already trained") == 5
    assert again.stdout == done.stdout
    other = run_python(program, *[*words[:5], "32x3", *words[6:]])
    assert other.returncode == 2 and "another budget" in other.stderr
    final = run_python(program, *words, "--final", "--ledger", tmp_path / "looks.csv")
    assert final.returncode == 3 and "--final needs a split" in final.stderr
