"""The flow: every file one row, a bad one too; bugs are raised; identity stays in the worker."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from dataclasses import astuple, replace
from datetime import date
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_infer.errors import ImageError, ModelError, ReasonCode, UnreadableImage
from edge_infer.films.find import find_films
from edge_infer.flow import screen as screen_module
from edge_infer.flow.keep_day import DaySettings, KeptDay
from edge_infer.flow.screen import PreparedFilm, open_model, prepare_film, score_films
from edge_infer.model.classifier import Classifier
from edge_infer.model.model_file import ModelFile, load_model_file, with_card
from edge_infer.workers.pool import Crew, Pool, run_isolated, start_workers
from edge_infer.worklist.rows import Decision, Status, WorklistRow
from tests.edge.films.dicom.dicom_factory import bands, make_dicom
from tests.edge.made_day import TINY
from tests.edge.made_films import PATIENT, png
from tests.edge.made_heat import redness
from tests.edge.pool_here import PoolHere


def screen_day(
    folder: Path,
    model: ModelFile | Classifier,
    *,
    workers: int = 1,
    crew: Crew | None = None,
    pool: Pool = run_isolated,
) -> list[WorklistRow]:
    """Screen the folder into a new day and return its rows, as the command does."""
    settings = DaySettings(
        model=model, card=model.card, package_version="9.8.7", workers=workers, pool=pool
    )
    with tempfile.TemporaryDirectory() as out, KeptDay(Path(out), settings) as day:
        day.register(find_films([folder]), today=date(2026, 11, 24))
        for _ in day.screen(day.files_to_look_at(), crew=crew):
            pass
        return [
            replace(row, thumbnail=bytes(row.thumbnail), heat=bytes(row.heat))
            for row in day.write().day.rows
        ]


def screen_here(folder: Path, classifier: Classifier) -> list[WorklistRow]:
    return screen_day(folder, classifier, pool=PoolHere(backwards=True))


def spoiled_model(folder: Path) -> Path:
    """Write the tiny model with half a point added to each logit its self-test expects."""
    file = load_model_file(TINY)
    wrong = tuple(tuple(logit + 0.5 for logit in row) for row in file.card.self_test.logits)
    card = replace(file.card, self_test=replace(file.card.self_test, logits=wrong))
    path = folder / "other.onnx"
    path.write_bytes(with_card(file.data, card.to_json()))
    return path


CONTENTS = st.one_of(
    st.binary(max_size=60),
    st.integers(0, 3).map(png),
    st.tuples(st.integers(0, 3), st.integers(1, 900)).map(lambda cut: png(cut[0])[: cut[1]]),
    st.just(make_dicom(bands([0, 99], "u1"), Modality="CT")),
)
NAMES = st.text(st.sampled_from("abX_= -가\u202e"), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(NAMES, CONTENTS, max_size=6))
def test_every_file_has_exactly_one_row(tiny: Classifier, contents: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in contents.items():
            (Path(folder) / f"{name}.png").write_bytes(content)
        rows = screen_here(Path(folder), tiny)
    assert sorted(row.path for row in rows) == sorted(f"{name}.png" for name in contents)
    for row in rows:
        is_screened = row.status is Status.SCREENED
        assert (row.finding is not None) == (row.decision is not None) == is_screened
        # A sound picture that was refused is shown too, where there is one.
        assert row.thumbnail or not is_screened
        assert not row.thumbnail or row.status is not Status.UNREADABLE
        assert bool(row.reason) == (row.reason_code is not None) == (not is_screened)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_network_says_the_same_here_and_in_the_workers(
    tmp_path: Path, tiny: Classifier, workers: int
) -> None:
    """With one worker the network runs here, with two in them; the model's file serves as well."""
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    (tmp_path / "b.dcm").write_bytes(b"")
    crew = start_workers(workers)
    screened = screen_day(tmp_path, load_model_file(TINY), workers=workers, crew=crew)
    rows = {row.path: row for row in screened}
    alone = {row.path: row for row in screen_here(tmp_path, tiny)}
    assert rows == alone
    assert rows["1.png"].status is Status.SCREENED
    assert rows["b.dcm"].reason_code is ReasonCode.EMPTY_FILE


def test_a_model_that_changed_during_the_run_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(TINY.read_bytes())
    file = replace(load_model_file(tmp_path / "model.onnx"), sha256="0" * 64)
    with pytest.raises(ModelError, match="changed during the run"):
        list(score_films([tmp_path / "0.png", tmp_path / "1.png"], file, workers=2))


def test_workers_whose_network_gives_other_scores_screen_nothing(tmp_path: Path) -> None:
    file = load_model_file(spoiled_model(tmp_path))
    for workers in (1, 2):
        with pytest.raises(ModelError, match="other scores on this PC"):
            list(score_films([tmp_path / "0.png", tmp_path / "1.png"], file, workers=workers))


def test_a_lost_file_is_a_bug_and_never_a_shorter_list(tiny: Classifier) -> None:
    def lose(*_: object, **__: object) -> Generator[tuple[int, Any], None, None]:
        yield 0, UnreadableImage("The file is empty.", ReasonCode.EMPTY_FILE)

    with pytest.raises(AssertionError, match="never came back"):
        list(score_films([Path("a"), Path("b")], tiny, workers=1, pool=lose))


def test_our_own_bug_is_raised_and_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("ours")

    (tmp_path / "a.png").write_bytes(png(1))
    monkeypatch.setattr(screen_module, "shrink_grey", broken)
    with pytest.raises(ValueError, match="ours"):
        prepare_film(
            tmp_path / "a.png", height=64, width=64, min_age_years=15, include_patient=False
        )


def prepare_dicom(folder: Path, *, include_patient: bool, **elements: Any) -> PreparedFilm:
    path = folder / "film.dcm"
    path.write_bytes(make_dicom(bands([0, 40, 255, 90], "u1"), **PATIENT, **elements))
    return prepare_film(
        path, height=64, width=64, min_age_years=15, include_patient=include_patient
    )


def test_identity_leaves_the_worker_only_when_asked_for(tmp_path: Path) -> None:
    silent = prepare_dicom(tmp_path, include_patient=False).study
    assert silent.modality == "CR" and silent.study_instance_uid == "1.2.3"
    assert not any(astuple(silent.identity))
    asked = prepare_dicom(tmp_path, include_patient=True).study.identity
    assert asked.patient_name == "HONG^GILDONG" and asked.patient_id == "PID4711"
    assert asked.patient_birth_date == "19700102" and asked.accession_number == "ACC0815"


@pytest.mark.parametrize("include_patient", [False, True])
def test_a_refusal_names_nobody_unless_asked(tmp_path: Path, include_patient: bool) -> None:
    with pytest.raises(ImageError) as caught:
        prepare_dicom(tmp_path, include_patient=include_patient, Modality="CT")
    assert caught.value.study is not None
    assert caught.value.study.modality == "CT"
    assert bool(caught.value.study.identity.patient_name) == include_patient


@pytest.mark.parametrize(
    ("aspect", "size"), [(None, (64, 51)), (["2", "1"], (40, 64)), (["1", "2"], (64, 26))]
)
def test_a_thumbnail_has_the_film_s_proportions(
    tmp_path: Path, aspect: list[str] | None, size: tuple[int, int]
) -> None:
    """128 rows of 160 columns; PixelAspectRatio is height to width (PS3.3 C.7.6.3.1.7)."""
    film = prepare_dicom(tmp_path, include_patient=False, PixelAspectRatio=aspect)
    picture = cv2.imdecode(np.frombuffer(film.thumbnail, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert (picture.shape[1], picture.shape[0]) == size


def test_a_thumbnail_is_at_most_160_pixels(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(2, height=700, width=500))
    film = prepare_film(
        tmp_path / "a.png", height=224, width=224, min_age_years=15, include_patient=False
    )
    picture = cv2.imdecode(np.frombuffer(film.thumbnail, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None and picture.shape == (160, 114)
    assert film.grey.shape == (224, 224)


def test_a_pc_that_computes_other_scores_must_not_screen(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"other scores on this PC .* off by 0\.5"):
        open_model(spoiled_model(tmp_path))


def test_a_model_that_is_never_ready_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """One node of its graph may take hours, and nothing ends it."""
    monkeypatch.setattr(screen_module, "_OPEN_LIMIT_S", 1e-6)
    with pytest.raises(ModelError, match=r"tiny\.onnx was not ready after .* seconds"):
        open_model(TINY)


def test_a_row_shows_where_its_score_comes_from(tmp_path: Path, tiny: Classifier) -> None:
    """The tiny model scores brightness as tuberculosis: the bright half is drawn red."""
    pixels = np.full((140, 140), 40, np.uint8)
    pixels[:90] = 250
    encoded, data = cv2.imencode(".png", pixels)
    assert encoded
    (tmp_path / "a.png").write_bytes(data.tobytes())
    (row,) = screen_here(tmp_path, tiny)
    assert row.decision is Decision.REFER_TB and row.heat_class == "tuberculosis"
    red = redness(bytes(row.heat))
    assert red.shape == (64, 64), "as the thumbnail, here no larger than the network's input"
    assert red[:36].mean() > 60
    assert abs(red[48:].mean()) < 5


@pytest.mark.parametrize(
    ("options", "code", "is_shown"),
    [
        ({"PatientAge": "009Y"}, ReasonCode.CHILD, True),
        ({"ViewPosition": "LL"}, ReasonCode.LATERAL_VIEW, True),
        ({"Modality": "CT"}, ReasonCode.OTHER_MODALITY, True),
        ({"NumberOfFrames": 2}, ReasonCode.SEVERAL_FRAMES, False),
        ({"PatientAge": "009Y", "NumberOfFrames": 2}, ReasonCode.SEVERAL_FRAMES, False),
    ],
)
def test_a_refused_film_is_shown_small_and_its_reason_stays(
    tmp_path: Path, tiny: Classifier, options: dict[str, Any], code: ReasonCode, is_shown: bool
) -> None:
    films = tmp_path / "films"
    films.mkdir()
    pixels = np.tile(bands([10, 60, 130, 250], "u1"), (2, 2))
    (films / "a.dcm").write_bytes(make_dicom(pixels, **options))
    settings = DaySettings(
        model=tiny, card=tiny.card, package_version="9.8.7", workers=1, pool=PoolHere()
    )
    pictures = []
    # The second run takes the picture from the store.
    for _ in range(2):
        with KeptDay(tmp_path / "out", settings) as day:
            day.register(find_films([films]), today=date(2026, 11, 24))
            for _ in day.screen(day.files_to_look_at()):
                pass
            (row,) = day.write().day.rows
            assert row.reason_code is code and row.finding is None
            pictures.append(bytes(row.thumbnail))
    assert pictures[0] == pictures[1] and bool(pictures[0]) is is_shown
    if is_shown:
        shown = cv2.imdecode(np.frombuffer(pictures[0], np.uint8), cv2.IMREAD_GRAYSCALE)
        assert shown is not None and max(shown.shape) <= 160 and np.ptp(shown) > 100
