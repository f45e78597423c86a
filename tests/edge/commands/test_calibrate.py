"""`cxr-calibrate` and `cxr-infer --site` as a clinic runs them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_infer.commands import calibrate, infer
from tests.edge.calibration.made_labels import clinic_rows, write_labels, write_worklist
from tests.edge.made_day import TINY

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str


def run(
    capsys: pytest.CaptureFixture[str],
    main: Callable[[Sequence[str]], None],
    *arguments: str | Path,
) -> Ended:
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    code = caught.value.code
    assert isinstance(code, int)
    return Ended(code=code, out=said.out, err=said.err)


@dataclass(frozen=True, kw_only=True)
class Clinic:
    worklist: Path
    labels: Path
    site: Path
    truth: dict[str, int]

    @property
    def words(self) -> list[str | Path]:
        return [self.worklist, "--labels", self.labels, "--out", self.site]


def make_clinic(folder: Path, positives: int = 60, negatives: int = 320) -> Clinic:
    rows, truth = clinic_rows(positives, negatives)
    return Clinic(
        worklist=write_worklist(folder / "월요일", rows),
        labels=write_labels(folder / "labels.csv", truth),
        site=folder / "site.json",
        truth=truth,
    )


def test_a_site_file_and_its_page_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clinic = make_clinic(tmp_path)
    ended = run(capsys, calibrate.main, *clinic.words)
    assert (ended.code, ended.err) == (0, "")
    site = json.loads(clinic.site.read_text("utf-8"))
    # 57 of 60 score 30.3 and more; of the negatives, 0.0 to 31.9, the 17 above are referred.
    assert (site["threshold"], site["n_positive"], site["n_negative"]) == (30.3, 60, 320)
    assert site["sensitivity"]["value"] == 0.95
    assert site["specificity"]["value"] == 303 / 320
    assert sum(site["tb_score"]) == 380 and site["worklists"] == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", site["created"])
    assert site["ppv"]["value"] == pytest.approx(0.0095 / (0.0095 + 17 / 320 * 0.99))
    row = next(line for line in ended.out.splitlines() if line.startswith(" 30.3*"))
    assert row.split()[1:5] == ["57", "17", "3", "303"]
    for said in ("chosen and measured on the same films", "tuberculosis is its likeliest class"):
        assert said in ended.out
    page = (tmp_path / "site-calibration.html").read_text("utf-8")
    assert site["site_id"] in page and "<svg" in page and page.count("<polyline") == 2
    assert "//" not in page and "<script" not in page
    written = clinic.site.read_text("utf-8") + page + ended.out
    assert not any(name in written for name in clinic.truth)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("labels.csv", "site-calibration.html", "site.json", "월요일"),
    ]


def test_a_calibration_speaks_korean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clinic = make_clinic(tmp_path)
    ended = run(capsys, calibrate.main, *clinic.words, "--lang", "ko")
    assert ended.code == 0 and ended.err == ""
    page = (tmp_path / "site-calibration.html").read_text("utf-8")
    assert '<html lang="ko">' in page
    english = re.compile(r"[A-Za-z]{4,}")
    lines = [line for line in ended.out.splitlines() if str(tmp_path) not in line]
    own = re.compile(r"tiny|site-\w+|cxr-infer|SHA|TP|FP|FN|TN")
    assert not [line for line in lines if english.search(own.sub("", line))]
    shown = re.sub(r"<style>.*?</style>|<code>.*?</code>|<[^>]*>", " ", page, flags=re.S)
    assert not english.findall(own.sub("", shown))


def test_too_few_positives_write_nothing_and_say_how_many_are_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clinic = make_clinic(tmp_path, positives=30)
    ended = run(capsys, calibrate.main, *clinic.words)
    assert ended.code == 3
    assert "No site file: 15 more films with TB are needed" in ended.err
    assert "sensitivity %" in ended.out  # the table is shown all the same
    assert not clinic.site.exists() and not (tmp_path / "site-calibration.html").exists()


def test_more_than_five_percent_unmatched_is_three(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clinic = make_clinic(tmp_path)
    write_labels(clinic.labels, clinic.truth | {f"other/{i}": 0 for i in range(21)})
    ended = run(capsys, calibrate.main, *clinic.words)
    assert (ended.code, ended.out) == (3, "")
    assert "lines 382-402: no film of the worklists" in ended.err
    assert "21 of 401 rows of the label file fit no film, more than 5 %" in ended.err
    assert not clinic.site.exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--target-sensitivity", "0.4"], "--target-sensitivity"),
        (["--prevalence", "0"], "--prevalence"),
        (["--out", "labels.csv"], "is not a site file"),
        (["--out", "site.txt"], "must end in .json"),
    ],
)
def test_a_wrong_command_line_is_two(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    sentence: str,
) -> None:
    clinic = make_clinic(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = clinic.labels.read_bytes()
    ended = run(capsys, calibrate.main, *clinic.words, *words)
    assert ended.code == 2 and sentence in " ".join(ended.err.split())
    assert clinic.labels.read_bytes() == before and not clinic.site.exists()


def test_an_unwritable_place_is_six(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clinic = make_clinic(tmp_path)
    (tmp_path / "site-calibration.html").mkdir()
    ended = run(capsys, calibrate.main, *clinic.words)
    assert ended.code == 6 and "cannot be written" in ended.err
    assert not clinic.site.exists()


def test_a_changed_site_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clinic = make_clinic(tmp_path)
    run(capsys, calibrate.main, *clinic.words)
    text = clinic.site.read_text("utf-8")
    for changed, sentence in (
        (text.replace('"threshold": 30.3', '"threshold": 3.3'), "was changed after"),
        (text.replace('"schema": "1.0"', '"schema": "2.0"'), "has schema 2.0"),
        (text[: len(text) // 2], "is damaged"),
        ('{"kind": "worklist"}', "is not a site file"),
        ("[" * 100_000, "is damaged"),
    ):
        clinic.site.write_text(changed, encoding="utf-8")
        ended = screen_one(capsys, tmp_path, "--site", clinic.site)
        assert ended.code == 3 and sentence in ended.err
        assert len(ended.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_site_file_of_another_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, truth = clinic_rows(60, 320)
    worklist = write_worklist(tmp_path / "mon", rows, sha256="cd" * 32)
    labels = write_labels(tmp_path / "labels.csv", truth)
    site = tmp_path / "site.json"
    assert run(capsys, calibrate.main, worklist, "--labels", labels, "--out", site).code == 0
    ended = screen_one(capsys, tmp_path, "--site", site)
    assert ended.code == 3
    assert "was made for tiny 0.0.1 (SHA-256 cdcdcdcdcdcd), not for this tiny 0.0.1" in ended.err
    assert len(ended.err.splitlines()) == 1 and not (tmp_path / "out").exists()


def screen_one(capsys: pytest.CaptureFixture[str], folder: Path, *words: str | Path) -> Ended:
    """Screen one film with the tiny model into `folder`/out."""
    films = folder / "films"
    films.mkdir(exist_ok=True)
    (films / "a.png").write_bytes(grey(120, 0))
    return run(capsys, infer.main, films, "--out", folder / "out", "--model", TINY, *words)


def grey(level: float, seed: int) -> bytes:
    """Return a PNG of noise about a level; the tiny model scores brighter films higher."""
    pixels = np.random.default_rng(seed).normal(level, 25, (128, 128)).clip(0, 255)
    pixels[:4], pixels[4:8] = 0, 255
    encoded, data = cv2.imencode(".png", pixels.astype(np.uint8))
    assert encoded
    return data.tobytes()


def test_a_clinic_screens_calibrates_and_screens_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    films = tmp_path / "필름"
    films.mkdir()
    truth = {f"{number:02}.png": int(number < 34) for number in range(68)}
    for number, (name, tb) in enumerate(truth.items()):
        (films / name).write_bytes(grey(190 if tb else 80, number))
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    screening: list[str | Path] = [films, "--model", TINY, "--workers", "1", "--out"]
    assert run(capsys, infer.main, *screening, first).code == 0
    labels = write_labels(tmp_path / "labels.csv", truth)
    site = tmp_path / "site.json"
    words: list[str | Path] = ["--labels", labels, "--out", site, "--target-sensitivity", "0.99"]
    ended = run(capsys, calibrate.main, first, *words)
    assert ended.code == 0, ended.err
    chosen = json.loads(site.read_text("utf-8"))

    with_site = run(capsys, infer.main, *screening, second, "--site", site)
    assert with_site.code == 0
    named = f"TB threshold {chosen['threshold']:.1f} of {chosen['site_id']}"
    assert named in with_site.out
    plain = json.loads((second / "worklist.json").read_text("utf-8"))
    assert plain["site"]["id"] == chosen["site_id"]
    assert plain["model"]["operating_points"]["refer_tb"]["threshold"] == chosen["threshold"]
    referred = {row["path"] for row in plain["rows"] if row["decision"] == "refer_tb"}
    assert referred >= {name for name, tb in truth.items() if tb}
    assert len(referred) == 34 + round(34 * (1 - chosen["specificity"]["value"]))
    assert {row["site"] for row in plain["rows"]} == {chosen["site_id"]}
    assert chosen["site_id"] in (second / "report.html").read_text("utf-8")
    header, *lines = (second / "worklist.csv").read_text("utf-8-sig").splitlines()
    assert header.endswith(",reason_code,site")
    assert all(line.endswith(f",{chosen['site_id']}") for line in lines)

    # Without the site file nothing of it is left: the list is the first one's to the byte.
    assert run(capsys, infer.main, *screening, third).code == 0
    assert (third / "worklist.csv").read_bytes() == (first / "worklist.csv").read_bytes()
    assert json.loads((third / "worklist.json").read_text("utf-8"))["site"] is None


def test_the_command_line_loads_nothing_heavy() -> None:
    code = "import sys, edge_infer.commands.calibrate; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, encoding="utf-8", cwd=ROOT
    ).stdout.split()
    assert "edge_infer.commands.calibrate" in loaded
    for heavy in ("numpy", "onnxruntime", "cv2", "pydicom", "torch", "rich"):
        assert heavy not in loaded


def test_a_label_sheet_is_written_filled_in_and_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clinic, sheet = make_clinic(tmp_path), tmp_path / "sheet.csv"
    ended = run(capsys, calibrate.main, clinic.worklist, "--label-sheet", sheet)
    assert ended.code == 0 and "380 films, 0 of them ticked already" in ended.out
    lines = sheet.read_text("utf-8-sig").splitlines()
    filled = [f"{line}{clinic.truth[line.partition(',')[0]]}" for line in lines[1:]]
    again = run(capsys, calibrate.main, clinic.worklist, "--label-sheet", sheet)
    assert again.code == 2 and "may hold results" in again.err
    sheet.write_text("\n".join([lines[0], *filled]), encoding="utf-8")
    ended = run(capsys, calibrate.main, clinic.worklist, "--labels", sheet, "--out", clinic.site)
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(clinic.site.read_text("utf-8"))["threshold"] == 30.3


def test_without_labels_and_ticks_it_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clinic = make_clinic(tmp_path)
    ended = run(capsys, calibrate.main, clinic.worklist, "--out", clinic.site)
    assert ended.code == 3 and "tick them in cxr-desk" in ended.err
    assert not clinic.site.exists()
