"""The benchmarks run, count every film and print what they promise; no times are judged."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.breakdown import STAGES
from benchmarks.contestants import environment
from benchmarks.made_day import link_films, make_day, split_by_mix, syntax_of, take_subset
from benchmarks.memory import watch
from benchmarks.strict_readers import missing_programs

ROOT = Path(__file__).resolve().parents[1]
# Every Python with pydicom and OpenCV reads these; the other syntaxes need plug-ins.
KINDS = ("uncompressed", "rle", "png16", "jpeg")
SMALL = (384, 320)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmarks") / "day"
    make_day(folder, dict.fromkeys(KINDS, 1), distinct=4, shape=SMALL, phantoms=1)
    return folder


def run_module(name: str, *arguments: object) -> str:
    command = [sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def cells_of(printed: str) -> dict[str, list[str]]:
    """Return the cells of every table row by the first one."""
    rows = [line.strip("|").split("|") for line in printed.splitlines() if line.startswith("|")]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}


def test_the_mix_is_the_one_promised() -> None:
    assert split_by_mix(300) == {
        "uncompressed": 120,
        "jpeg_lossless": 60,
        "jpeg2000": 45,
        "jpeg_ls": 15,
        "rle": 15,
        "htj2k": 15,
        "png16": 15,
        "jpeg_dicom": 8,
        "jpeg": 7,
    }
    assert sum(split_by_mix(7).values()) == 7


def test_a_made_day_is_kept_and_never_mistaken_for_another(day: Path) -> None:
    films = sorted((day / "films").iterdir())
    assert sorted(map(syntax_of, films)) == sorted(KINDS)
    before = [film.stat().st_mtime_ns for film in films]
    again = make_day(day, dict.fromkeys(KINDS, 1), distinct=4, shape=SMALL, phantoms=1)
    assert again == films and [film.stat().st_mtime_ns for film in films] == before
    with pytest.raises(SystemExit, match="holds another day"):
        make_day(day, dict.fromkeys(KINDS, 2), distinct=4, shape=SMALL, phantoms=1)


def test_copies_of_a_film_are_films_of_their_own(tmp_path: Path) -> None:
    import pydicom

    make_day(tmp_path, {"uncompressed": 3}, distinct=2, shape=SMALL, phantoms=1)
    films = [pydicom.dcmread(path) for path in sorted((tmp_path / "films").iterdir())]
    assert len({film.SOPInstanceUID for film in films}) == 3
    assert len({film.PixelData for film in films}) == 2


def test_a_subset_and_links_keep_the_mix(day: Path, tmp_path: Path) -> None:
    films = sorted((day / "films").iterdir())
    link_films(films, tmp_path / "ten", count=10)
    linked = sorted((tmp_path / "ten").iterdir())
    assert len(linked) == 10 and set(map(syntax_of, linked)) == set(KINDS)
    assert sorted(map(syntax_of, take_subset(films * 5, 8))) == sorted(KINDS * 2)


def test_the_stock_loop_reads_every_film_and_scores_it(day: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    told = json.loads(run_module("stock", day / "films", "--out", out))
    assert (told["films"], told["read"], told["failed"]) == (4, 4, {})
    for line in out.read_text(encoding="utf-8").splitlines():
        assert sum(map(float, line.split(",")[1:])) == pytest.approx(1, abs=1e-3)


def test_the_floor_knows_every_kind_and_imports_nothing_of_ours(day: Path) -> None:
    code = (
        "import sys, json; from pathlib import Path;"
        "from benchmarks.floor import INT8, Clock, measure;"
        f"floor = measure(Path({str(day / 'films')!r}), INT8, cores=2, clock=Clock(repeats=1));"
        "print(json.dumps([floor, sorted(sys.modules)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    floor, modules = json.loads(done.stdout)
    assert {name: row["films"] for name, row in floor["syntaxes"].items()} == dict.fromkeys(
        KINDS, 1
    )
    means = [row["read_ms"] + row["decode_ms"] for row in floor["syntaxes"].values()]
    expected = 2000 / (sum(means) / 4 + floor["network_ms"])
    assert floor["films_per_s"] == pytest.approx(expected)
    ours = [name for name in modules if re.match(r"edge_infer|cxr_|benchmarks", name)]
    assert ours == ["benchmarks", "benchmarks.floor"]


def test_the_breakdown_times_public_functions_alone() -> None:
    names = [name for stage in STAGES.values() for name in stage]
    assert not [name for name in names if "_" in (name.partition(":")[2][0], name[0])]


def test_the_breakdown_has_a_row_for_every_kind_of_file(day: Path) -> None:
    printed = run_module("breakdown", day, "--films", 1, "--repeats", 1)
    rows = cells_of(printed)
    header = rows.pop("ms a film")
    assert header[:3] == ["open, hash", "header", "decode"] and header[-1] == "all"
    rows.pop("---")
    assert set(rows) == {*KINDS, "the day's mix"}
    for name, cells in rows.items():
        *parts, whole = map(float, cells)
        assert sum(parts) == pytest.approx(whole, abs=0.06 * len(parts)), name
        assert float(cells[header.index("network")]) > 0, name


def test_a_watched_command_tells_its_memory_and_its_exit_code() -> None:
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    code = "import sys, time; block = bytearray(b'x') * 50_000_000; time.sleep(0.5); sys.exit(4)"
    run = watch([sys.executable, "-c", code])
    assert run.exit_code == 4
    assert 50_000_000 < run.peak_bytes < 100_000_000


@pytest.mark.slow
def test_the_race_names_everyone_and_says_what_is_missing(
    day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openvino.py").write_text("raise ModuleNotFoundError(name='openvino')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    printed = run_module("day", day, "--rounds", 1)
    rows = cells_of(printed)
    for name in ("cxr-infer, 1 worker", "cxr-infer, 2 workers", "stock, INT8", "floor"):
        assert float(rows[name][0].split()[0]) > 0, printed
    assert rows["stock, OpenVINO INT8"][0] == "not measured: openvino missing"
    assert "films not read" not in printed
    assert not [path for path in day.iterdir() if path.name not in ("films", "day.json")]


@pytest.mark.slow
def test_the_table_per_syntax_has_a_row_for_every_kind(day: Path) -> None:
    rows = cells_of(run_module("day", day, "--rounds", 1, "--per-syntax", "--syntax-films", 3))
    assert set(KINDS) < set(rows)
    assert all(re.fullmatch(r"[\d.]+ \([\d.]+\)", cell) for kind in KINDS for cell in rows[kind])


@pytest.mark.slow
def test_growth_counts_every_link(day: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    printed = run_module("growth", day, "--images", 3, 6, "--workers", 1)
    table = [line.strip("| ").split(" | ") for line in printed.splitlines() if line[:3] == "| 1"]
    assert [(row[1], row[2]) for row in table] == [("3", "3"), ("6", "6")]
    assert "1 workers, 3 to 6 images: time per image" in printed


@pytest.mark.slow
def test_no_harmed_film_is_screened_wrongly_in_silence(tmp_path: Path) -> None:
    if missing := missing_programs():
        pytest.skip(f"strict readers are missing: {', '.join(missing)}")
    printed = run_module("hostile", tmp_path / "hostile", "--mutants", 200, "--height", 256)
    assert "200 mutants, 200 rows" in printed
    for trouble in ("exit_code", "traceback", "crashed", "timed_out"):
        assert f"{trouble}: 0 []" in printed
    peak = re.search(r"process tree at most (\d+) MB", printed)
    assert peak and int(peak[1]) < 1024
    assert "off by > 1.0: 0\n" in printed, printed
