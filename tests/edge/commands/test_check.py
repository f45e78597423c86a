"""`cxr-infer --check` tries everything on this PC, says so, and tells a PC that must not screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_infer.commands import check as self_check
from edge_infer.commands.check_films import Kind, all_kinds, draw_film
from edge_infer.commands.infer import main
from edge_infer.films.dicom.syntax import TransferSyntax
from edge_infer.films.read import read_radiograph
from tests.edge.flow.test_screen import spoiled_model
from tests.edge.made_day import TINY


def check(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main(["--check", *map(str, words)])
    assert isinstance(caught.value.code, int)
    return caught.value.code, capsys.readouterr().out


@pytest.fixture
def small_films(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure on films of 160 x 128: the numbers are not looked at here."""
    monkeypatch.setattr(self_check, "_HEIGHT", 160)
    monkeypatch.setattr(self_check, "_WIDTH", 128)
    monkeypatch.setattr(self_check, "_LONGEST_S", 0.0)


@pytest.mark.usefixtures("small_films")
def test_a_sound_pc_is_described_and_ready(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = check(capsys, "--model", TINY)
    assert code == 0
    kinds = len(all_kinds())
    for expected in (
        "SSE4.2 yes",
        "onnxruntime 1.",
        "Self-test: passed: tiny 0.0.1, largest difference",
        f"{kinds} of {kinds} kinds of film can be read",
        "films/hour",
        "GiB",
    ):
        assert expected in out
    for name in self_check.MEASURED.values():
        (line,) = [line for line in out.splitlines() if line.startswith(f"  {name} ")]
        assert int(line.split()[-1].replace(",", "")) > 0
    assert out.splitlines()[-1] == "Ready to screen films."


def test_every_transfer_syntax_is_among_the_kinds() -> None:
    names = {kind.name for kind in all_kinds()}
    for syntax in TransferSyntax:
        if syntax is not TransferSyntax.UNKNOWN:
            assert "DICOM " + syntax.name.lower().replace("_", " ") in names
    assert set(self_check.MEASURED) <= names


@pytest.mark.usefixtures("small_films")
def test_a_pc_that_computes_other_scores_is_three(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = check(capsys, "--model", spoiled_model(tmp_path))
    assert code == 3
    assert "Self-test: FAILED" in out and "largest difference 0.5" in out
    assert out.splitlines()[-1] == "This PC must not screen films."
    assert "films/hour" not in out


def test_a_missing_model_is_three(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = check(capsys, "--model", tmp_path / "none.onnx")
    assert code == 3 and "cannot be read" in out


@pytest.mark.usefixtures("small_films")
def test_a_decoder_that_is_missing_or_wrong_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = next(kind for kind in all_kinds() if kind.name == "PNG, 16 bit")
    broken = Kind(name="broken", encode=lambda film: sound.encode(film)[:900])
    shifted = Kind(name="shifted", encode=lambda film: sound.encode((film >> 1).astype(np.uint16)))
    monkeypatch.setattr(self_check, "all_kinds", lambda: (sound, broken, shifted))
    code, out = check(capsys, "--model", TINY)
    assert code == 0
    assert "1 of 3 kinds of film can be read" in out
    assert "NOT READ: broken (" in out and "NOT READ: shifted (other pixels" in out
    assert out.splitlines()[-1] == "Ready to screen films of the kinds that can be read."


@pytest.mark.parametrize("kind", all_kinds(), ids=lambda kind: kind.name)
def test_made_films_come_back_as_they_were_drawn(kind: Kind, tmp_path: Path) -> None:
    film = draw_film(200, 144, noise=0)
    assert film.dtype == np.uint16 and 2048 < film.max() <= 4095 and np.ptp(film) > 1500
    (tmp_path / "film").write_bytes(kind.encode(film))
    pixels = read_radiograph(tmp_path / "film").pixels
    assert np.abs(pixels / 65535 - film / 4095).max() < (0.04 if kind.is_lossy else 1 / 4095)
