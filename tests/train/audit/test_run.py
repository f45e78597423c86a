"""The audit on planted faults: what was planted is found, and clean data gives no finding."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from cxr_train.audit.findings import AuditResult, FindingKind
from cxr_train.audit.run import run_audit, summary_lines
from cxr_train.cli import app
from cxr_train.data.manifest import read_data
from cxr_train.errors import DataError
from edge_infer.errors import ReportError
from edge_infer.films.read import read_radiograph
from tests.shared_data import shared_data
from tests.train.planted_films import FilmFolder, add_marker, edit_film, make_film
from tests.train.tiny_films import write_data, write_film

FILMS, COPIES, CONTRADICTIONS = 200, 20, 5
MARKED_CLASS, MARKED_SHARE = 3, 0.7
SMALLEST_TO_EDIT = 280
"""Half of 95 % of a shorter side must remain a film (128 pixels) after the edit."""
Pairs = set[frozenset[str]]


@dataclass(frozen=True, kw_only=True)
class Planted:
    """An audit of data with known faults."""

    result: AuditResult
    out: Path
    copies: Pairs
    contradictions: Pairs


def split_of(number: int) -> str:
    return "train" if number % 3 else "val"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    folder = FilmFolder(tmp_path_factory.mktemp("planted"))
    films = [make_film(number) for number in range(FILMS)]
    for number, film in enumerate(films):
        label = number % 4
        if label == MARKED_CLASS and number % 40 < 40 * MARKED_SHARE:
            add_marker(film, number)
        # Films 198 and 199 are one patient's, in two splits.
        group = "<b>torn" if number >= FILMS - 2 else None
        split = ("train", "val")[number % 2] if group else split_of(number)
        folder.add(f"film{number}.png", film, label, split, group)
    copies = set()
    for number in range(COPIES):
        other = "val" if split_of(number) == "train" else "train"
        copy = folder.add(f"copy{number}.png", edit_film(films[number], number), number % 4, other)
        copies.add(frozenset((copy, f"film{number}.png")))
    contradictions = set()
    for number in range(COPIES, COPIES + CONTRADICTIONS):
        # Two of the five are the same bytes, the others edited.
        film = films[number] if number % 2 else edit_film(films[number], number)
        name = f"wrong{number}.png"
        folder.add(name, film, (number + 1) % 4, split_of(number))
        contradictions.add(frozenset((name, f"film{number}.png")))
    out = tmp_path_factory.mktemp("report")
    result = run_audit(folder.write_manifest(), out)
    return Planted(result=result, out=out, copies=copies, contradictions=contradictions)


def names_of(result: AuditResult) -> Pairs:
    names = [example.name for example in result.examples]
    return {frozenset((names[pair.first], names[pair.second])) for pair in result.pairs}


def test_edited_copies_across_splits_are_found_and_hardly_a_false_pair(planted: Planted) -> None:
    result = planted.result
    names = [example.name for example in result.examples]
    across = {frozenset((names[p.first], names[p.second])) for p in result.pairs_of(across=True)}
    assert len(planted.copies - across) <= 2
    false = names_of(result) - planted.copies - planted.contradictions
    assert len(false) <= 0.001 * len(names) * (len(names) - 1) / 2


def test_contradictory_labels_are_found(planted: Planted) -> None:
    names = [example.name for example in planted.result.examples]
    found = {frozenset((names[p.first], names[p.second])) for p in planted.result.contradictions}
    assert found == planted.contradictions


def test_marker_is_found_where_it_was_painted(planted: Planted) -> None:
    marker = max(planted.result.markers, key=lambda one: one.films)
    assert marker.class_name == "tuberculosis"
    assert marker.precision > 0.9
    assert marker.recall == pytest.approx(MARKED_SHARE, abs=0.15)
    in_corner = [one for one in planted.result.markers if one.patch == "white"]
    assert in_corner and all(max(one.box) <= 4 for one in in_corner)


def test_group_in_two_splits_is_listed_with_its_films(planted: Planted) -> None:
    (group,) = planted.result.groups
    assert group.group == "<b>torn"
    assert group.films == (("train", "film198.png"), ("val", "film199.png"))
    assert planted.result.groups_are_known


def test_border_tells_the_marked_class(planted: Planted) -> None:
    border = next(one for one in planted.result.shortcuts if one.cue == "border")
    assert border.accuracy.low <= border.accuracy.value <= border.accuracy.high
    assert border.is_clear
    assert {name for name, _ in border.telling[:2]} == {"top", "left"}


def test_page_is_self_contained_and_escaped(planted: Planted) -> None:
    page = (planted.out / "audit.html").read_text(encoding="utf-8")
    assert "<b>torn" not in page and "&lt;b&gt;torn" in page
    assert not re.search(r"https?:|<script|<link", page)
    first = re.search(r"data:image/jpeg;base64,([^\"]+)", page)
    assert first is not None
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(first[1]), np.uint8), 0)
    assert picture is not None and max(picture.shape) <= 160


def test_json_names_films_relative_to_the_data(planted: Planted) -> None:
    text = (planted.out / "audit.json").read_text(encoding="utf-8")
    found = json.loads(text)
    assert found["films"] == FILMS + COPIES + CONTRADICTIONS
    assert {frozenset((one["first"], one["second"])) for one in found["pairs"]} == names_of(
        planted.result
    )
    assert str(planted.result.examples[0].path.parent) not in text


def test_summary_names_every_kind_of_fault_planted(planted: Planted) -> None:
    kinds = {finding.kind for finding in planted.result.findings}
    assert kinds >= {
        FindingKind.GROUPS,
        FindingKind.ACROSS_SPLITS,
        FindingKind.CONTRADICTION,
        FindingKind.MARKER,
        FindingKind.SHORTCUT,
    }
    assert len(summary_lines(planted.result)) == 1 + len(planted.result.findings)


def test_clean_data_with_random_classes_gives_no_finding(tmp_path: Path) -> None:
    folder = FilmFolder(tmp_path / "clean")
    labels = np.random.default_rng(5).permutation(np.arange(120) % 4)
    for number, label in enumerate(labels):
        name = f"film{number}.png"
        folder.add(name, make_film(1000 + number), int(label), split_of(number), f"p{number}")
    (folder.folder / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    folder.rows.append({"path": "torn.png", "class": "normal", "split": "val", "group_id": "q"})
    result = run_audit(folder.write_manifest(), tmp_path / "out")
    assert result.findings == ()
    assert result.markers == () and result.pairs == ()
    assert [line.split(":")[0] for line in result.skipped] == ["torn.png"]
    assert any("Nothing was found" in line for line in summary_lines(result))


def test_few_films_of_one_class_have_no_shortcut_figures(tmp_path: Path) -> None:
    folder = FilmFolder(tmp_path / "one")
    for number in range(3):
        folder.add(f"film{number}.png", make_film(number), 0, "train")
    result = run_audit(folder.write_manifest(), tmp_path / "out")
    assert result.shortcuts == () and result.findings == ()
    assert "Not measured" in (tmp_path / "out" / "audit.html").read_text(encoding="utf-8")


def test_the_option_that_the_error_names_is_one_of_the_command(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", train=3, val=2)
    write_film(data / "train" / "Lung_Opacity" / "a.png", 0, seed=99)
    words = ["audit", str(data), "--out", str(tmp_path / "out")]
    refused = CliRunner().invoke(app, words)
    assert isinstance(refused.exception, DataError)
    assert "--without 'Lung_Opacity'" in str(refused.exception)
    done = CliRunner().invoke(app, [*words, "--without", "Lung_Opacity"])
    assert done.exit_code == 0, done.output
    assert "20 films" in done.output


def test_group_in_two_splits_still_refused_where_it_is_not_audited(tmp_path: Path) -> None:
    folder = FilmFolder(tmp_path)
    for split in ("train", "val"):
        folder.rows.append({"path": split, "class": "normal", "split": split, "group_id": "p"})
    folder.write_manifest()
    with pytest.raises(DataError, match="in two splits"):
        read_data(tmp_path)
    assert len(read_data(tmp_path, check_groups=False)) == 2


def test_missing_data_and_unwritable_folder_are_typed_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        run_audit(tmp_path / "nothing", tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(ReportError):
        run_audit(tmp_path, tmp_path / "file")


@pytest.mark.slow
def test_edited_copies_of_real_films_are_found(tmp_path: Path) -> None:
    examples = read_data(shared_data() / "cxr4")
    folder = FilmFolder(tmp_path / "real")
    planted: Pairs = set()
    for number, example in enumerate(examples[:: len(examples) // 100]):
        film = np.asarray(read_radiograph(example.path).pixels // 257, dtype=np.uint8)
        if min(film.shape) < SMALLEST_TO_EDIT or len(planted) == 60:
            continue
        first = folder.add(f"film{number}.png", film, example.label, "train")
        second = folder.add(f"copy{number}.png", edit_film(film, number), example.label, "test")
        planted.add(frozenset((first, second)))
    result = run_audit(folder.write_manifest(), tmp_path / "out")
    names = [example.name for example in result.examples]
    found = {frozenset((names[p.first], names[p.second])) for p in result.pairs_of(across=True)}
    # 95 % were found of 400 such copies; the others, and no other pair, count as look-alikes.
    assert len(planted) == 60 and len(planted - found) <= 6
    assert not names_of(result) ^ planted
