"""The page of an evaluation: goals, figures, confusion matrix, and whose films TB figures count."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from cxr_train.evaluate.evaluation import Evaluation, SplitResult
from cxr_train.evaluate.goals import judge
from cxr_train.evaluate.page import write_page
from cxr_train.evaluate.text import describe_evaluation
from cxr_train.figures.measures import measure
from tests.train.compare.test_comparison import make_films


def make_evaluation(ages: str) -> Evaluation:
    films = make_films(0.8, 1)
    metrics = tuple(measure(films))
    result = SplitResult(
        split="val",
        films=200,
        refused=("a.png: empty",),
        metrics=metrics,
        confusion=((40, 10, 0, 0), (0, 41, 9, 0), (0, 0, 42, 8), (7, 0, 0, 43)),
        views={},
        coverage=(),
        undecided=None,
    )
    return Evaluation(
        model="<b>mine</b> 1",
        sha256="ab" * 32,
        data_fingerprint="cd" * 32,
        made="2026-01-01",
        splits=(result,),
        judged=tuple(judge(metrics)),
        ages=ages,
    )


def test_the_page_has_every_figure_and_loads_nothing(tmp_path: Path) -> None:
    evaluation = make_evaluation("age unknown")
    page = write_page(evaluation, tmp_path).read_text(encoding="utf-8")
    assert "&lt;b&gt;mine" in page and "<b>mine" not in page
    assert "Split val: 200 films, 1 of them refused" in page
    assert not re.search(r'(src|href)=["\'](?!data:)', page)
    assert page.count("<svg ") == 3 and ">43<" in page
    assert page.count("<td>200</td>") >= 3
    # Three rows of the picture of goals are TB's against normals and all others.
    assert "age unknown, TB against normal" in page and "adults" not in page
    known = write_page(replace(evaluation, ages="adults"), tmp_path).read_text(encoding="utf-8")
    assert "adults, TB against normal" in known and "age unknown" not in known


def test_the_text_says_whose_films_tb_figures_count() -> None:
    text = "\n".join(describe_evaluation(make_evaluation("age unknown")))
    assert "TB figures: age unknown" in text and "adults" not in text
