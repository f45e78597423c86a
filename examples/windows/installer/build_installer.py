"""Build cxr-edge-VERSION-setup.exe on Linux or Windows, of files that lie here: nothing is fetched.

    python -m pip wheel --no-deps . --wheel-dir usb
    python -m pip download --dest usb --platform win_amd64 --python-version 3.13 \
        --only-binary=:all: "usb/cxr_edge-VERSION-py3-none-any.whl[desk]" colorama
    python examples/windows/installer/build_installer.py --python python-3.13.9-embed-amd64.zip \
        --sha256 HASH --wheels usb --out dist

The zip is "Windows embeddable package (64-bit)" of python.org, HASH what the page of that release
says: a zip with another one is refused. NSIS (`apt-get install nsis`) makes the installer.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
COMMANDS = {"cxr-desk": "edge_infer.commands.desk", "cxr-infer": "edge_infer"}
COMMANDS["cxr-calibrate"] = "edge_infer.commands.calibrate"
SIZES = (16, 32, 48, 64, 256)
"""Of the icon's pictures, in pixels."""


class BuildError(Exception):
    """What is given is not what the installer needs; the text says what to give."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the installer and print its path; 1 with a sentence where that is impossible."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--python", type=Path, required=True, help="embeddable package, a zip")
    parser.add_argument("--sha256", required=True, help="of the zip, from the release's page")
    parser.add_argument("--wheels", type=Path, required=True, help="folder of Windows wheels")
    parser.add_argument("--out", type=Path, default=Path("dist"))
    given = parser.parse_args(arguments)
    try:
        print(build(given.python, given.sha256, given.wheels, given.out))
    except BuildError as error:
        print(f"build_installer: {error}", file=sys.stderr)
        return 1
    return 0


def build(python: Path, sha256: str, wheels: Path, out: Path) -> Path:
    """Return the installer's path."""
    makensis = shutil.which("makensis")
    if makensis is None:
        raise BuildError("NSIS is missing: apt-get install nsis")
    check_hash(python, sha256)
    version = find_version(wheels)
    out.mkdir(parents=True, exist_ok=True)
    installer = out.resolve() / f"cxr-edge-{version}-setup.exe"
    with tempfile.TemporaryDirectory(prefix="cxr-installer-") as folder:
        stage, icon = Path(folder) / "stage", Path(folder) / "cxr-edge.ico"
        stage.mkdir()
        fill_stage(stage, python, wheels)
        icon.write_bytes(draw_icon())
        values = {
            "VERSION": version,
            "OUT": installer,
            "ICON": icon,
            "LICENSE": ROOT / "LICENSE",
            "STAGE": stage,
        }
        defines = [f"-D{name}={value}" for name, value in values.items()]
        subprocess.run(
            [makensis, "-V2", "-INPUTCHARSET", "UTF8", *defines, str(HERE / "cxr-edge.nsi")],
            check=True,
        )
    return installer


def check_hash(python: Path, sha256: str) -> None:
    """Refuse a zip that is not the one whose hash was given."""
    found = hashlib.sha256(python.read_bytes()).hexdigest()
    if found != sha256.lower():
        raise BuildError(f"{python.name} has SHA-256 {found}, not the one given: fetch it again.")


def find_version(wheels: Path) -> str:
    """Return the version of the one wheel of ours."""
    ours = sorted(wheels.glob("cxr_edge-*.whl"))
    if len(ours) != 1:
        raise BuildError(f"{wheels} must hold one cxr_edge wheel, and holds {len(ours)}.")
    return ours[0].name.split("-")[1]


def fill_stage(stage: Path, python: Path, wheels: Path) -> None:
    """Unpack Python and the wheels and write the starters: what will lie on the clinic's PC."""
    home = stage / "python"
    packages = home / "Lib" / "site-packages"
    with zipfile.ZipFile(python) as archive:
        archive.extractall(home)
    (search,) = [*home.glob("python3*._pth")] or [None]
    if search is None or not (home / "python.exe").is_file():
        raise BuildError(f"{python.name} is not an embeddable package of Python.")
    release = search.stem.removeprefix("python")
    for wheel in sorted(wheels.glob("*.whl")):
        check_tag(wheel.name, release)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
    # The embeddable Python looks only where this file says, never at PYTHONPATH or the registry.
    search.write_text(f"python{release}.zip\n.\nLib\\site-packages\n", encoding="utf-8")
    for name, module in COMMANDS.items():
        text = f'@echo off\r\n"%~dp0python\\python.exe" -X utf8 -m {module} %*\r\n'
        (stage / f"{name}.cmd").write_bytes(text.encode("ascii"))
    shutil.copy(ROOT / "LICENSE", stage / "LICENSE.txt")


def check_tag(wheel: str, release: str) -> None:
    """Refuse a wheel for another system or another Python; `release` is `313` for 3.13."""
    python, abi, platform = wheel.removesuffix(".whl").rsplit("-", 3)[1:]
    fits = re.fullmatch(rf"(py3|py2\.py3|cp{release}|cp3\d+)", python) is not None
    fits = fits and platform in ("any", "win_amd64")
    if not fits or abi not in ("none", "abi3", f"cp{release}"):
        raise BuildError(f"{wheel} is not for Python {release} on 64-bit Windows.")


def draw_icon() -> bytes:
    """Return our icon as .ico: two lungs on a dark film, one of them with a mark."""
    import cv2
    import numpy as np

    pictures = []
    for size in SIZES:
        big = np.zeros((4 * size, 4 * size, 4), np.uint8)
        whole, unit = 4 * size, 4 * size / 64
        cv2.rectangle(big, (0, 0), (whole, whole), (46, 33, 24, 255), -1)
        for side in (-1, 1):
            centre = (int(whole / 2 + side * 13 * unit), int(34 * unit))
            axes = (int(9 * unit), int(20 * unit))
            cv2.ellipse(big, centre, axes, side * 8, 0, 360, (235, 228, 220, 255), -1)
        mark = (int(whole / 2 + 13 * unit), int(24 * unit))
        cv2.circle(big, mark, int(5.5 * unit), (44, 36, 168, 255), -1)
        small = cv2.resize(big, (size, size), interpolation=cv2.INTER_AREA)
        pictures.append(cv2.imencode(".png", small)[1].tobytes())
    # ICONDIR and ICONDIRENTRY; PNG pictures are allowed since Windows Vista.
    offset = 6 + 16 * len(pictures)
    head = struct.pack("<HHH", 0, 1, len(pictures))
    for size, png in zip(SIZES, pictures, strict=True):
        head += struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(png), offset)
        offset += len(png)
    return head + b"".join(pictures)


if __name__ == "__main__":
    sys.exit(main())
