"""`cxr-infer` as a person runs it: exit codes, what is written, what is said, what is not."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest

from edge_infer.commands import terminal
from edge_infer.commands.infer import main
from edge_infer.errors import ReasonCode, UnreadableImage
from edge_infer.films.find import find_films
from edge_infer.films.look import Look
from edge_infer.store.outcome import ScoredFilm
from tests.edge.made_day import TINY
from tests.edge.made_films import DUE, FORMULA_NAME, IGNORED, SCREENED, fingerprint, make_day, png
from tests.edge.store.made_looks import keyed, scored

POOL = "edge_infer.workers.pool.run_isolated"
Looks = Generator[tuple[int, Look[ScoredFilm]], None, None]
ROOT = Path(__file__).resolve().parents[3]
FILES = ["audit.jsonl", "day.sqlite", "report.html", "worklist.csv", "worklist.json"]


@dataclass(frozen=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class ScreenedFolder:
    films: Path
    results: Path
    ended: Ended
    before: dict[str, tuple[str, int]]


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Ended:
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    code = caught.value.code
    assert isinstance(code, int)
    return Ended(code=code, out=said.out, err=said.err)


def run_apart(*arguments: str | Path, **environment: str) -> Ended:
    """Run the command in a process of its own, as `python -m edge_infer`."""
    done = subprocess.run(
        [sys.executable, "-m", "edge_infer", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        cwd=ROOT,
        env={**os.environ, "PYTHONUTF8": "1", **environment},
    )
    return Ended(code=done.returncode, out=done.stdout, err=done.stderr)


def read_rows(results: Path) -> list[dict[str, str]]:
    with (results / "worklist.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> ScreenedFolder:
    """The folder of films, screened once with two workers under a Korean path."""
    root = tmp_path_factory.mktemp("진료 기록")
    films, results = make_day(root / "촬영 2026"), root / "out"
    before = fingerprint(films)
    ended = run_apart(films, "--out", results, "--model", TINY, "--workers", "2")
    return ScreenedFolder(films=films, results=results, ended=ended, before=before)


def test_every_file_has_one_row_and_gaps_change_the_exit_code(day: ScreenedFolder) -> None:
    assert (day.ended.code, day.ended.err) == (4, "")
    assert sorted(path.name for path in day.results.iterdir()) == FILES
    rows = read_rows(day.results)
    assert [row["rank"] for row in rows] == [str(rank) for rank in range(1, DUE + 1)]
    assert sum(row["status"] == "screened" for row in rows) == SCREENED
    assert {row["path"]: row["reason_code"] for row in rows if row["reason"]} == {
        "cut.png": "truncated",
        "empty.dcm": "empty_file",
        "lateral.dcm": "lateral_view",
    }
    assert {"신촌 진료소/필름 1.png", "신촌 진료소/2.dcm", "no-suffix", f"'{FORMULA_NAME}"} <= {
        row["path"] for row in rows
    }


def test_the_json_agrees_with_the_csv_and_counts_the_rest(day: ScreenedFolder) -> None:
    plain = json.loads((day.results / "worklist.json").read_text("utf-8"))
    assert plain["counts"]["ignored"] == IGNORED
    assert plain["counts"]["rows"] == plain["counts"]["files"] == DUE
    for row, exact in zip(read_rows(day.results), plain["rows"], strict=True):
        assert row["path"] in (exact["path"], f"'{exact['path']}")
        assert row["decision"] == (exact["decision"] or "")
        if exact["tb_score"] is not None:
            assert float(row["tb_score"]) == exact["tb_score"]
            shares = [row[name] for name in row if name.startswith("p_")]
            assert sum(round(float(share) * 10_000) for share in shares) == 10_000


def test_the_input_is_never_written_to(day: ScreenedFolder) -> None:
    assert fingerprint(day.films) == day.before


def test_the_summary_says_how_many_why_not_and_where(day: ScreenedFolder) -> None:
    lines = [" ".join(line.split()) for line in day.ended.out.splitlines()]
    assert lines[0] == f"{SCREENED} of {DUE} screened with tiny 0.0.1."
    # The lateral film belongs to the examination of a screened one.
    reasons = {"Cut off 1", "Empty file 1", "Not a frontal view 1"}
    assert {"Not screened 2 3 films", *reasons} <= set(lines)
    assert f"List: {day.results / 'worklist.csv'}" in lines


def test_nothing_names_the_patient(day: ScreenedFolder) -> None:
    written = b"".join(path.read_bytes() for path in day.results.iterdir()).decode("latin-1")
    for secret in ("HONG", "GILDONG", "PID4711", "19700102", "ACC0815", "ROE"):
        assert secret not in written + day.ended.out + day.ended.err


def test_the_csv_is_the_same_bytes_anywhere(day: ScreenedFolder, tmp_path: Path) -> None:
    """One worker instead of two, another locale, hash seed, terminal and time zone."""
    again = run_apart(
        *(day.films, "--out", tmp_path / "o", "--model", TINY, "--workers", "1"),
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
        PYTHONHASHSEED="7",
        PYTHONIOENCODING="ascii",
        TZ="Pacific/Kiritimati",
    )
    assert (again.code, again.err) == (4, "")
    again_bytes = (tmp_path / "o" / "worklist.csv").read_bytes()
    assert again_bytes == (day.results / "worklist.csv").read_bytes()


def test_the_patient_is_added_on_request_and_all_is_well_is_zero(
    day: ScreenedFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = day.films / "신촌 진료소" / "2.dcm"
    ended = run(capsys, film, "--out", tmp_path, "--model", TINY, "--include-patient")
    assert (ended.code, ended.err) == (0, "")
    (row,) = read_rows(tmp_path)
    assert list(row)[-3:] == ["patient_name", "patient_id", "patient_birth_date"]
    assert row["patient_name"] == "HONG^GILDONG" and row["accession_number"] == "ACC0815"
    assert row["path"] == "2.dcm"
    assert "HONG" not in ended.out


@pytest.fixture
def films(tmp_path: Path) -> Path:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.png").write_bytes(png(1))
    return tmp_path / "films"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every found file a row without reading it: these tests look at what is around it."""

    def look_at_nothing(_: object, paths: Sequence[Path], **__: object) -> Looks:
        yield from ((index, keyed(path, scored())) for index, path in enumerate(paths))

    monkeypatch.setattr(POOL, look_at_nothing)


NEEDS_LINKS = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows lets few users make a link"
)


@pytest.mark.parametrize(
    "out",
    ["films", "films/lists", "films/../films/x", pytest.param("link/lists", marks=NEEDS_LINKS)],
)
def test_results_inside_the_input_are_refused(
    films: Path, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    if out.startswith("link"):
        (films.parent / "link").symlink_to(films, target_is_directory=True)
    before = fingerprint(films)
    ended = run(capsys, films, "--out", films.parent / out, "--model", TINY)
    assert ended.code == 2
    assert "inside the input" in " ".join(ended.err.split())
    assert fingerprint(films) == before


def test_an_input_file_is_not_written_over(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = run(capsys, films / "a.png", "--out", films / "a.png", "--model", TINY)
    assert ended.code == 2 and "inside the input" in " ".join(ended.err.split())


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["missing-folder"],
        ["films", "--workers", "0"],
        ["films", "--file-timeout", "0"],
        ["films", "--file-timeout", "soon"],
    ],
)
def test_a_wrong_command_line_is_two(
    films: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    monkeypatch.chdir(films.parent)
    ended = run(capsys, *words)
    assert ended.code == 2 and "Traceback" not in ended.err
    assert ended.out == ""
    if words[:1] == ["missing-folder"]:
        assert "'missing-folder' cannot be opened" in ended.err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read"),
        (b"this is text\n" * 50, "not an ONNX model"),
        (b"\x3a\x00", "no model card"),
    ],
)
def test_no_usable_model_is_three(
    films: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, sentence: str
) -> None:
    model = films.parent / "model.onnx"
    if content is not None:
        model.write_bytes(content)
    out = films.parent / "out"
    ended = run(capsys, films, "--out", out, "--model", model)
    assert ended.code == 3 and sentence in ended.err
    assert len(ended.err.splitlines()) == 1
    assert not out.exists()


def test_nothing_to_screen_is_five_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "readme.txt").write_text("no film", encoding="utf-8")
    ended = run(capsys, tmp_path / "films", "--out", tmp_path / "out")
    assert ended.code == 5
    assert "no X-ray film found (other files: 1), so nothing was written" in ended.err
    assert not (tmp_path / "out").exists()


def test_an_unwritable_place_is_six_before_any_film_is_read(
    films: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_nothing(*_: object, **__: object) -> Looks:
        raise AssertionError("a film was read")

    monkeypatch.setattr(POOL, read_nothing)
    (films.parent / "out").write_text("a file", encoding="utf-8")
    ended = run(capsys, films, "--out", films.parent / "out", "--model", TINY)
    assert ended.code == 6 and "cannot be written" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_an_interruption_writes_the_rows_so_far(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object, paths: Sequence[Path], **__: object) -> Looks:
        named = {path.name: (index, path) for index, path in enumerate(paths)}
        index, path = named["no-suffix"]
        yield index, keyed(path, scored())
        index, path = named["cut.png"]
        yield index, keyed(path, UnreadableImage("Cut off.", ReasonCode.TRUNCATED))
        raise KeyboardInterrupt

    monkeypatch.setattr(POOL, interrupted)
    folder = make_day(tmp_path / "films")
    ended = run(capsys, folder, "--out", tmp_path / "out", "--model", TINY)
    assert ended.code == 130 and "Interrupted" in ended.err
    assert [row["path"] for row in read_rows(tmp_path / "out")] == ["cut.png", "no-suffix"]
    plain = json.loads((tmp_path / "out" / "worklist.json").read_text("utf-8"))
    assert plain["complete"] is False and plain["counts"]["files"] == DUE
    assert "not complete" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_an_interruption_before_the_first_row_keeps_the_earlier_list(
    films: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> Looks:
        yield from ()
        raise KeyboardInterrupt

    (films.parent / "out").mkdir()
    (films.parent / "out" / "worklist.csv").write_text("this morning's", encoding="utf-8")
    monkeypatch.setattr(POOL, interrupted)
    ended = run(capsys, films, "--out", films.parent / "out", "--model", TINY)
    assert (ended.code, ended.out) == (130, "") and "no new list was written" in ended.err
    assert (films.parent / "out" / "worklist.csv").read_text("utf-8") == "this morning's"


@pytest.mark.usefixtures("quick")
def test_results_go_to_the_current_folder_or_beside_the_input(
    films: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"cxr-{datetime.now():%Y-%m-%d}"
    (films.parent / "desk").mkdir()
    monkeypatch.chdir(films.parent / "desk")
    assert run(capsys, films, "--model", TINY).code == 0
    assert sorted(path.name for path in Path(name).iterdir()) == FILES
    for inside in (films, films / "ward"):
        inside.mkdir(exist_ok=True)
        monkeypatch.chdir(inside)
        ended = run(capsys, films, "--model", TINY)
        assert ended.code == 0
        beside = films.parent.resolve() / name
        assert str(beside / "report.html") in ended.out
        assert not (inside / name).exists()


@pytest.mark.usefixtures("quick")
def test_quiet_says_nothing(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = run(capsys, films, "--out", films.parent / "out", "--model", TINY, "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


@pytest.mark.usefixtures("quick")
def test_a_folder_that_cannot_be_opened_is_a_gap(
    films: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = replace(find_films([films]), unreadable_folders=("locked\x1b[2J",))

    monkeypatch.setattr("edge_infer.films.find.find_films", lambda _: found)
    ended = run(capsys, films, "--out", films.parent / "out", "--model", TINY)
    assert ended.code == 4
    assert "the folder locked\ufffd[2J cannot be opened" in ended.err
    page = (films.parent / "out" / "report.html").read_text("utf-8")
    assert "Folders that could not be opened" in page


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    ended = run(capsys, "--version")
    assert ended.code == 0 and ended.out.startswith("cxr-infer ")
    assert ended.out.split()[1][0].isdigit()


def test_progress_tells_how_far_and_how_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "_REDRAW_S", 0.0)
    with terminal.Progress(3, is_shown=True) as progress:
        for _ in range(3):
            progress.advance()
    drawn = capsys.readouterr()
    assert drawn.out == ""
    assert "2 of 3 films, about 0 s left" in drawn.err
    assert drawn.err.endswith("\r")
    assert "\x1b" not in drawn.err


def test_the_command_line_loads_nothing_heavy() -> None:
    code = "import sys, edge_infer.commands.infer; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, encoding="utf-8", cwd=ROOT
    ).stdout.split()
    assert "edge_infer.commands.infer" in loaded
    for heavy in ("numpy", "onnxruntime", "cv2", "pydicom", "imagecodecs", "torch", "rich"):
        assert heavy not in loaded


def test_the_page_speaks_korean_and_the_lists_do_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    films, english, korean = tmp_path / "films", tmp_path / "en", tmp_path / "ko"
    films.mkdir()
    (films / "a.png").write_bytes(png(1))
    (films / "b.png").write_bytes(b"")
    for lang, out in (("en", english), ("ko", korean)):
        arguments = (films, "--out", out, "--model", TINY, "--workers", "1", "--quiet")
        assert run(capsys, *arguments, "--lang", lang, "--pictures").code == 4
    assert '<html lang="ko">' in (korean / "report.html").read_text("utf-8")
    assert "파일이 비어 있습니다." in (korean / "report.html").read_text("utf-8")
    assert '<html lang="en">' in (english / "report.html").read_text("utf-8")
    assert (korean / "worklist.csv").read_bytes() == (english / "worklist.csv").read_bytes()
    (picture,) = (korean / "pictures").iterdir()
    assert f'href="pictures/{picture.name}"' in (korean / "report.html").read_text("utf-8")


def test_the_terminal_speaks_korean_to_its_last_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    films = tmp_path / "films"
    films.mkdir()
    (films / "a.png").write_bytes(png(1))
    (films / "b.png").write_bytes(b"")
    arguments = (films, "--out", tmp_path / "o", "--model", TINY, "--workers", "1", "--lang", "ko")
    ended = run(capsys, *arguments)
    lines = [line for line in ended.out.splitlines() if str(tmp_path) not in line]
    assert "2개 중 1장 선별" in ended.out and "파일이 비어 있습니다." in ended.out
    english = re.compile(r"[A-Za-z]{3,}")
    assert not [line for line in lines if english.search(line.replace("tiny", ""))]
    lost = run(capsys, films, "--out", tmp_path / "o", "--model", films, "--lang=ko")
    assert lost.code == 3 and "읽을 수 없습니다" in lost.err


def test_age_and_sex_can_be_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], day: ScreenedFolder
) -> None:
    rows = json.loads((day.results / "worklist.json").read_text("utf-8"))["rows"]
    assert {"age_years", "sex", "film_time"} <= set(rows[0])
    arguments = (day.films, "--out", tmp_path / "o", "--model", TINY, "--workers", "1", "--quiet")
    run(capsys, *arguments, "--no-age-sex")
    left = json.loads((tmp_path / "o" / "worklist.json").read_text("utf-8"))["rows"]
    assert not {"age_years", "sex", "film_time"} & set(left[0])
    csv = (tmp_path / "o" / "worklist.csv").read_bytes()
    assert csv == (day.results / "worklist.csv").read_bytes()
