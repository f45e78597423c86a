"""The clinic's package screens a folder without torch and without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.edge.made_day import TINY
from tests.edge.made_films import png

ROOT = Path(__file__).resolve().parents[2]
# Pipes between processes are UNIX socket pairs; only the internet's families are forbidden. The
# file tells of an attempt even where somebody swallows the exception.
NO_NETWORK = """
import os, sys
def forbid(event, arguments):
    reaches_out = event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect")
    if reaches_out or (event == "socket.__new__" and int(arguments[1]) != 1):
        with open(os.environ["NETWORK_USED"], "a", encoding="utf-8") as file:
            file.write(event)
        raise RuntimeError("the network is forbidden here")
sys.addaudithook(forbid)
"""


def run(code: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *code],
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
        env={**os.environ, **environment},
    )


@pytest.fixture
def poisoned(tmp_path: Path) -> dict[str, str]:
    """An environment, workers included, where torch breaks on import and the network on use."""
    path = tmp_path / "poison"
    for name in ("torch", "torchvision", "onnx"):
        (path / name).mkdir(parents=True)
        (path / name / "__init__.py").write_text(
            f"raise RuntimeError('{name} is forbidden here')", encoding="utf-8"
        )
    (path / "sitecustomize.py").write_text(NO_NETWORK, encoding="utf-8")
    return {"PYTHONPATH": str(path), "NETWORK_USED": str(tmp_path / "network-used")}


@pytest.mark.parametrize(
    "code",
    [
        "import torch",
        "import torchvision",
        "import onnx",
        "import socket; socket.socket()",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')",
    ],
)
def test_the_poison_works(poisoned: dict[str, str], code: str) -> None:
    ended = run(["-c", code], poisoned)
    assert ended.returncode != 0 and "is forbidden here" in ended.stderr


def test_a_folder_is_screened_without_torch_and_without_a_network(
    poisoned: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.png").write_bytes(png(1))
    (tmp_path / "films" / "b.dcm").write_bytes((ROOT / "examples/day/02-implicit.dcm").read_bytes())
    words = [str(tmp_path / "films"), "--out", str(tmp_path / "out"), "--model", str(TINY)]
    ended = run(["-m", "edge_infer", *words], poisoned)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "2 of 2 screened" in ended.stdout
    assert not Path(poisoned["NETWORK_USED"]).exists()


def test_nothing_is_left_in_the_users_home(tmp_path: Path) -> None:
    """ONNX Runtime's telemetry would leave a device id and an event database there."""
    home = tmp_path / "home"
    home.mkdir()
    words = [str(ROOT / "examples/day/12-export.png"), "--out", str(tmp_path / "out")]
    surroundings = {
        name: str(home)
        for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "LOCALAPPDATA", "USERPROFILE")
    }
    ended = run(["-m", "edge_infer", *words, "--model", str(TINY)], surroundings)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sorted(home.rglob("*")) == []
