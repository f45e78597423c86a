"""The bundled model's gate over the sample days: phantoms pass, what is no chest film does not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_infer.films.read import read_radiograph
from edge_infer.model.bundled import bundled_model
from edge_infer.model.gate import GateState, is_gate
from edge_infer.model.model_file import load_model_file
from tests.edge.commands.test_infer import read_rows, run_apart

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
Row = dict[str, str]


def screen(folder: Path, out: Path, *options: str) -> dict[str, Row]:
    """Screen a folder by the command; return its rows by path."""
    ended = run_apart(folder, "--out", out, "--workers", "1", *options)
    assert ended.code in (0, 4), ended.err
    return {row["path"]: row for row in read_rows(out)}


@pytest.fixture(scope="module")
def bad_day(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    return screen(EXAMPLES / "bad-day", tmp_path_factory.mktemp("out"))


def test_the_bundled_model_has_a_gate_that_knows_every_state() -> None:
    card = load_model_file(bundled_model()).card
    assert card.gate is not None and set(card.gate.states) == set(GateState)
    assert is_gate(card.gate, len(card.self_test.logits)) and card.gate.figures


def test_every_phantom_passes_and_every_group_is_there(bad_day: dict[str, Row]) -> None:
    films = [row for path, row in bad_day.items() if not path.startswith("9")]
    assert len(films) == 14 and {row["reason"] for row in films} == {""}
    assert {row["decision"] for row in films} == {"refer_tb", "abnormal", "uncertain", "clear"}


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("94-lateral.png", "unsupported", "lateral_picture"),
        ("95-hand.dcm", "unsupported", "not_chest_picture"),
        ("96-upside-down.jpg", "screened", "put_upright"),
    ],
)
def test_what_shows_no_upright_chest_is_held_back_or_put_right(
    bad_day: dict[str, Row], name: str, status: str, code: str
) -> None:
    row = bad_day[name]
    assert (row["status"], row["reason_code"]) == (status, code)
    assert bool(row["tb_score"]) == (status == "screened")


def test_a_film_put_right_has_nearly_the_upright_films_score(
    bad_day: dict[str, Row], tmp_path: Path
) -> None:
    """Turned and inverted copies of a phantom, saved as files of their own."""
    upright = (read_radiograph(EXAMPLES / "day" / "01-explicit.dcm").pixels >> 8).astype(np.uint8)
    wrong = {
        "left": np.rot90(upright),
        "right": np.rot90(upright, -1),
        "upside-down": np.rot90(upright, 2),
        "inverted": 255 - upright,
    }
    (tmp_path / "films").mkdir()
    for name, picture in wrong.items():
        assert cv2.imwrite(str(tmp_path / "films" / f"{name}.png"), picture)
    rows = screen(tmp_path / "films", tmp_path / "out")
    codes = {path: row["reason_code"] for path, row in rows.items()}
    assert codes.pop("inverted.png") == "made_positive"
    assert set(codes.values()) == {"put_upright"} and len(codes) == 3
    expected = float(bad_day["01-explicit.dcm"]["tb_score"])
    for row in rows.values():
        assert float(row["tb_score"]) == pytest.approx(expected, abs=1.0)


def test_without_the_gate_the_hand_has_a_score_and_every_row_says_so(tmp_path: Path) -> None:
    rows = screen(EXAMPLES / "bad-day", tmp_path / "out", "--no-gate")
    scored = [row for row in rows.values() if row["status"] == "screened"]
    assert {row["reason_code"] for row in scored} == {"gate_off"}
    assert rows["95-hand.dcm"]["tb_score"] and "chest film" in rows["95-hand.dcm"]["reason"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Screened with --no-gate." in page
    assert '"gate": "off"' in (tmp_path / "out" / "worklist.json").read_text(encoding="utf-8")
