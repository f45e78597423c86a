"""The Windows installer's script: what it refuses, what it lays out, and that NSIS builds it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import struct
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "examples" / "windows" / "installer"
NSIS = (FOLDER / "cxr-edge.nsi").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_installer", FOLDER / "build_installer.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_zip(place: Path, names: dict[str, str]) -> Path:
    with zipfile.ZipFile(place, "w") as archive:
        for name, text in names.items():
            archive.writestr(name, text)
    return place


@pytest.fixture
def given(tmp_path: Path) -> tuple[Path, Path]:
    """What looks like an embeddable Python 3.13, and a folder with two wheels."""
    python = make_zip(
        tmp_path / "python.zip",
        {"python.exe": "MZ", "python313._pth": "python313.zip\n.\n", "python313.zip": ""},
    )
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_zip(wheels / "cxr_edge-9.8.7-py3-none-any.whl", {"edge_infer/__init__.py": ""})
    make_zip(wheels / "numpy-2.5.5-cp313-cp313-win_amd64.whl", {"numpy/__init__.py": ""})
    return python, wheels


def test_another_zip_than_the_one_named_is_refused(
    script: ModuleType, given: tuple[Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    python, wheels = given
    arguments = ["--python", str(python), "--wheels", str(wheels), "--out", str(tmp_path / "o")]
    if shutil.which("makensis") is None:
        pytest.skip("no NSIS on this machine")
    assert script.main([*arguments, "--sha256", "0" * 64]) == 1
    assert "not the one given" in capsys.readouterr().err and not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("wheel", "fits"),
    [
        ("numpy-2.5.5-cp313-cp313-win_amd64.whl", True),
        ("imagecodecs-2026.10.10-cp312-abi3-win_amd64.whl", True),
        ("flatbuffers-25.12.19-py2.py3-none-any.whl", True),
        ("numpy-2.5.5-cp312-cp312-win_amd64.whl", False),
        ("numpy-2.5.5-cp313-cp313-manylinux_2_28_x86_64.whl", False),
    ],
)
def test_a_wheel_of_another_system_or_python_is_refused(
    script: ModuleType, wheel: str, fits: bool
) -> None:
    if fits:
        script.check_tag(wheel, "313")
    else:
        with pytest.raises(script.BuildError, match="is not for Python 313"):
            script.check_tag(wheel, "313")


def test_what_lies_on_the_pc_finds_its_packages_and_nothing_else(
    script: ModuleType, given: tuple[Path, Path], tmp_path: Path
) -> None:
    stage = tmp_path / "stage"
    stage.mkdir()
    script.fill_stage(stage, *given)
    assert (stage / "python" / "Lib" / "site-packages" / "numpy" / "__init__.py").is_file()
    search = (stage / "python" / "python313._pth").read_text("utf-8").split()
    assert search == ["python313.zip", ".", "Lib\\site-packages"]
    starters = {path.stem for path in stage.glob("*.cmd")}
    assert starters == set(script.COMMANDS) == {"cxr-desk", "cxr-infer", "cxr-calibrate"}
    for module in script.COMMANDS.values():
        assert importlib.util.find_spec(module) is not None


def test_the_icon_is_ours_in_every_size(script: ModuleType) -> None:
    data = script.draw_icon()
    reserved, kind, count = struct.unpack_from("<HHH", data)
    assert (reserved, kind, count) == (0, 1, len(script.SIZES))
    for number, size in enumerate(script.SIZES):
        *_, length, offset = struct.unpack_from("<BBBBHHII", data, 6 + 16 * number)
        picture = cv2.imdecode(
            np.frombuffer(data[offset : offset + length], np.uint8), cv2.IMREAD_UNCHANGED
        )
        assert picture is not None and picture.shape == (size, size, 4)
        assert np.ptp(picture[..., :3]) > 150


def test_uninstalling_names_what_it_removes_and_lists_are_not_among_it(script: ModuleType) -> None:
    section = NSIS.partition("Section Uninstall")[2]
    whole = re.findall(r"^\s*RMDir /r \"(.*?)\"", section, flags=re.M)
    assert whole == ["$INSTDIR\\python", "$SMPROGRAMS\\cxr-edge"]
    assert re.search(r'^\s*RMDir "\$INSTDIR"$', section, flags=re.M), "only where it is empty"
    deleted = set(re.findall(r'Delete "\$INSTDIR\\(.*?)"', section))
    assert deleted == {
        *(f"{name}.cmd" for name in script.COMMANDS),
        *("LICENSE.txt", "cxr-edge.ico", "uninstall.exe"),
    }


def test_nsis_builds_it(script: ModuleType, given: tuple[Path, Path], tmp_path: Path) -> None:
    if shutil.which("makensis") is None:
        pytest.skip("no NSIS on this machine")
    python, wheels = given
    sha256 = hashlib.sha256(python.read_bytes()).hexdigest()
    made = script.build(python, sha256.upper(), wheels, tmp_path / "dist")
    assert made.name == "cxr-edge-9.8.7-setup.exe" and made.read_bytes()[:2] == b"MZ"


@pytest.mark.slow
def test_under_wine_it_installs_and_what_is_uninstalled_leaves_the_lists(
    script: ModuleType, given: tuple[Path, Path], tmp_path: Path
) -> None:
    if shutil.which("makensis") is None or shutil.which("wine") is None:
        pytest.skip("no NSIS or no Wine on this machine")
    python, wheels = given
    sha256 = hashlib.sha256(python.read_bytes()).hexdigest()
    made = script.build(python, sha256, wheels, tmp_path / "dist")
    prefix = tmp_path / "prefix"
    quiet = {
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe=",
        "DISPLAY": "",
    }
    environment = {**os.environ, **quiet, "WINEPREFIX": str(prefix)}

    def run(*words: str | Path) -> None:
        subprocess.run(list(words), env=environment, capture_output=True, check=True, timeout=300)

    def wait_until(is_so: Callable[[], bool]) -> None:
        until = time.monotonic() + 60
        while not is_so() and time.monotonic() < until:
            time.sleep(0.2)
        assert is_so()

    try:
        run("wineboot", "-i")
        run("wine", made, "/S")
        (folder,) = prefix.glob("drive_c/users/*/AppData/Local/cxr-edge")
        assert (folder / "cxr-desk.cmd").is_file() and (folder / "python/python.exe").is_file()
        assert list(prefix.rglob("cxr-edge/*.lnk"))
        (folder / "worklist.csv").write_text("kept")
        (folder / "cxr-2026-11-26").mkdir()
        (folder / "cxr-2026-11-26" / "day.sqlite").write_text("kept")
        run("wine", folder / "uninstall.exe", "/S")  # works on in a copy of itself
        wait_until(lambda: not (folder / "uninstall.exe").exists())
        wait_until(lambda: not list(prefix.rglob("*.lnk")))
        left = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
        assert left == ["cxr-2026-11-26", "cxr-2026-11-26/day.sqlite", "worklist.csv"]
    finally:
        subprocess.run(["wineserver", "-k"], env=environment, capture_output=True, timeout=60)
