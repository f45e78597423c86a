"""`cxr-infer --check`: can this PC screen films, does it compute the right scores, and how fast?

Everything is tried on this very PC: the model's self-test, every way of storing a film through the
reader itself, and the time each takes at the size of a real film.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from edge_infer.commands.check_films import Kind, Pixels, all_kinds, draw_film
from edge_infer.errors import ImageError, ModelError
from edge_infer.films.look import look_at
from edge_infer.films.read import read_radiograph
from edge_infer.flow.screen import PreparedFilm, prepare_film, run_network
from edge_infer.model.bundled import bundled_model
from edge_infer.model.classifier import Classifier
from edge_infer.model.model_file import load_model_file
from edge_infer.model.self_test import run_self_test
from edge_infer.pc.machine import default_workers, physical_cores, processor_name, read_memory
from edge_infer.pc.native_code import import_opencv

LIBRARIES: Final = (
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pydicom",
    "imagecodecs",
    "pillow",
    "simplejpeg",
    "typer",
)
FLAGS: Final = ("SSE4.2", "AVX", "AVX2", "AVX512F", "AVX512VNNI", "AVXVNNI")
"""What the arithmetic of the network and of the decoders makes use of; SSE4.2 is the least."""
MEASURED: Final = {
    "DICOM explicit little": "uncompressed DICOM",
    "DICOM rle": "RLE",
    "DICOM jpeg baseline": "JPEG, 8 bit",
    "DICOM jpeg lossless sv1": "JPEG Lossless",
    "DICOM jpeg ls lossless": "JPEG-LS",
    "DICOM jpeg 2000 lossless": "JPEG 2000",
    "DICOM htj2k lossless": "HTJ2K",
    "PNG, 16 bit": "PNG, 16 bit",
}
"""One kind per decoder, as the table names it: the others differ little."""
_HEIGHT, _WIDTH = 2500, 2048
_LONGEST_S = 0.5
"""Per kind and after the first film, which pays for loading the decoder."""
_WHITE: Final = 65535
_LOSSLESS, _LOSSY = 1 / 2**8, 0.04
"""Largest share of the range by which a pixel may differ; the least differing mistakes of a
decoder (bits shifted, signs lost) differ by more. BMP and JPEG keep 8 bits."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What `check_this_pc` found."""

    is_usable: bool
    """Whether the model opens, and gives the scores it gave where it was made."""
    unread: tuple[str, ...]
    """Kinds of film that this PC cannot read."""


def check_this_pc(
    model: Path | None, *, package_version: str, say: Callable[[str], object]
) -> CheckResult:
    """Try everything and `say` it line by line; takes 5 to 15 s."""
    for line in _describe_pc(package_version):
        say(line)
    classifier, verdict = _check_model(model)
    say(verdict)
    with tempfile.TemporaryDirectory(prefix="cxr-check-") as folder:
        unread = tuple(_find_unread(Path(folder)))
        kinds = all_kinds()
        say(f"Decoders:  {len(kinds) - len(unread)} of {len(kinds)} kinds of film can be read")
        for name in unread:
            say(f"  NOT READ: {name}")
        if classifier is not None:
            for line in _measure(
                Path(folder), classifier, [k for k in kinds if k.name not in unread]
            ):
                say(line)
    if classifier is None:
        say("This PC must not screen films.")
    elif unread:
        say("Ready to screen films of the kinds that can be read.")
    else:
        say("Ready to screen films.")
    return CheckResult(is_usable=classifier is not None, unread=unread)


def _describe_pc(package_version: str) -> Iterator[str]:
    yield f"cxr-infer {package_version}, Python {platform.python_version()}, {platform.platform()}"
    flags = _processor_flags()
    has = ", ".join(f"{name} {'yes' if name in flags else 'no'}" for name in FLAGS)
    yield (
        f"Processor: {processor_name()}, {physical_cores()} cores to use of {os.cpu_count()} "
        f"logical; {has}"
    )
    memory = read_memory()
    if memory is not None and memory.available:
        free, total = memory.available / 2**30, memory.total / 2**30
        yield f"Memory:    {total:.1f} GiB, {free:.1f} GiB free"
    elif memory is not None:
        yield f"Memory:    {memory.total / 2**30:.1f} GiB"
    yield f"Libraries: {', '.join(f'{name} {_version(name)}' for name in LIBRARIES)}"


def _processor_flags() -> set[str]:
    cv2 = import_opencv()
    names = {cv2.getHardwareFeatureName(number): number for number in range(64)}
    # OpenCV writes AVX512-VNNI in one version and AVX512VNNI in another.
    plain = {name.replace("-", "").replace("_", ""): number for name, number in names.items()}
    return {name for name in FLAGS if name in plain and cv2.checkHardwareSupport(plain[name])}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _check_model(path: Path | None) -> tuple[Classifier | None, str]:
    """Return the model, None where it must not be used, and the line that says so."""
    try:
        classifier = Classifier.open(load_model_file(path or bundled_model()))
        began = time.perf_counter()
        test = run_self_test(classifier)
        took = (time.perf_counter() - began) * 1000
    except (ModelError, ImportError) as error:
        # An ImportError of ONNX Runtime: Windows lacks the Visual C++ runtime it needs.
        return None, f"Self-test: FAILED: {error}"
    card = classifier.card
    found = (
        f"{card.name} {card.version}, largest difference {test.largest_difference:.2g} of a "
        f"logit, {card.self_test.tolerance:g} allowed, {took:.0f} ms"
    )
    return (
        (classifier, f"Self-test: passed: {found}")
        if test.ok
        else (
            None,
            f"Self-test: FAILED: {found}; copy the model file again, then reinstall cxr-edge",
        )
    )


def _find_unread(folder: Path) -> Iterator[str]:
    """Yield the kinds whose film does not come back as it was written."""
    film = draw_film(160, 128)
    truth = film.astype(np.float64) / film.dtype.type(2**12 - 1)
    place = folder / "small"
    for kind in all_kinds():
        try:
            place.write_bytes(kind.encode(film))
            pixels = read_radiograph(place).pixels
        except ImageError as error:
            yield f"{kind.name} ({error})"
            continue
        off = np.abs(pixels / _WHITE - truth).max() if pixels.shape == film.shape else 1.0
        if off > (_LOSSY if kind.is_lossy else _LOSSLESS):
            yield f"{kind.name} (other pixels than were written)"


def _measure(folder: Path, classifier: Classifier, kinds: list[Kind]) -> Iterator[str]:
    """Yield the table of speeds, a line as soon as it is known.

    At most: the lists, the store and sharing a PC's memory take another fifth to a third.
    """
    workers = default_workers()
    film = draw_film(_HEIGHT, _WIDTH)
    yield f"Speed:     at most, films of {_HEIGHT} x {_WIDTH}, {workers} processes, no other work"
    yield f"  {'':20}{'read':>9}{'network':>10}{'films/hour':>13}"
    for kind in kinds:
        if kind.name in MEASURED:
            read, network = _time_kind(folder / "film", kind, film, classifier)
            hourly = workers * 3600 / (read + network)
            yield (
                f"  {MEASURED[kind.name]:20}{read * 1000:>6.0f} ms{network * 1000:>7.0f} ms"
                f"{_rounded(hourly):>13,}"
            )


def _time_kind(
    place: Path, kind: Kind, film: Pixels, classifier: Classifier
) -> tuple[float, float]:
    """Return the median seconds of reading one film of this kind, hash too, and of the network."""
    place.write_bytes(kind.encode(film))
    size = classifier.card.input
    read = partial(
        prepare_film,
        height=size.height,
        width=size.width,
        min_age_years=classifier.card.min_age_years,
        include_patient=False,
    )
    readings: list[float] = []
    runs: list[float] = []
    began = time.perf_counter()
    while len(readings) < 2 or (time.perf_counter() - began < _LONGEST_S and len(readings) < 10):
        start = time.perf_counter()
        prepared = look_at(place, read=read, known=frozenset()).outcome
        middle = time.perf_counter()
        assert isinstance(prepared, PreparedFilm), "it was read before"
        run_network(prepared, classifier)
        readings.append(middle - start)
        runs.append(time.perf_counter() - middle)
    return statistics.median(readings[1:]), statistics.median(runs[1:])


def _rounded(number: float) -> int:
    """Keep two digits: more would promise what a busy PC does not keep."""
    unit = int(10 ** max(0, len(str(int(number))) - 2))
    return int(number / unit) * unit
