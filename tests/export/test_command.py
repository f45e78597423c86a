"""`cxr-export` as a command: exit codes, one sentence each, instant help."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cxr_train.fit.checkpoint import load_run
from tests.export.small_run import run_command, run_python
from tests.train.tiny_films import write_data


def test_no_images_within_reach_is_exit_3(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "run"
    shutil.copytree(run, moved)
    facts = (moved / "run.json").read_text(encoding="utf-8")
    data = load_run(run).data
    assert data is not None
    (moved / "run.json").write_text(
        facts.replace(str(data), str(tmp_path / "gone")), encoding="utf-8"
    )
    done = run_command(moved, "--out", tmp_path / "m.onnx")
    assert done.returncode == 3
    assert "never calibrated on made-up numbers" in done.stderr
    assert not (tmp_path / "m.onnx").exists()


def test_too_few_tb_films_are_refused_before_the_long_work(run: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "few", train=2, val=3)
    done = run_command(run, "--out", tmp_path / "m.onnx", "--calibration", data)
    assert done.returncode == 3
    assert "10 positive films" in done.stderr and "exporting" not in done.stderr


@pytest.mark.parametrize(
    ("make_run", "out", "code"),
    [("nowhere", "m.onnx", 3), ("real", "nowhere/m.onnx", 6)],
)
def test_exit_codes(run: Path, tmp_path: Path, make_run: str, out: str, code: int) -> None:
    folder = run if make_run == "real" else tmp_path / make_run
    done = run_command(folder, "--out", tmp_path / out)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("cxr-export: ")


def test_control_c_is_exit_130(run: Path, tmp_path: Path) -> None:
    program = (
        "import cxr_export.export_run as room, cxr_export.cli as cli\n"
        "def stop(_): raise KeyboardInterrupt\n"
        "room.load_run = stop\n"
        "cli.main()\n"
    )
    done = run_python(program, run, "--out", tmp_path / "m.onnx")
    assert done.returncode == 130
    assert "Interrupted" in done.stderr and "Traceback" not in done.stderr


def test_an_impossible_sensitivity_is_exit_2(run: Path, tmp_path: Path) -> None:
    done = run_command(run, "--out", tmp_path / "m.onnx", "--sensitivity", "1.5")
    assert done.returncode == 2 and "above 0 and be at most 1" in done.stderr


@pytest.mark.parametrize("missing", ["torch", "onnx", "onnxscript", "sympy"])
def test_a_missing_extra_is_exit_3_and_named(run: Path, tmp_path: Path, missing: str) -> None:
    program = (
        f"import sys\nsys.modules[{missing!r}] = None\nfrom cxr_export.cli import main\nmain()"
    )
    done = run_python(program, run, "--out", tmp_path / "m.onnx")
    assert done.returncode == 3, done.stderr
    assert f'cxr-export: {missing} is missing: pip install "cxr-edge[train]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, cxr_export.cli; sys.exit(bool({'torch', 'onnx', 'numpy'} & set(sys.modules)))"
    )
    assert run_python(program).returncode == 0
