"""Libraries in C, what they may start and ask: decided here, for the parent and every worker.

One thread each. The cores are shared out among processes (`--workers`), which scales without the
waiting that threads inside one decoder or one network do, and a worker that opened a thread per
core would take it from its neighbours. Reading and scoring a film with one thread each also keeps
the arithmetic, and so the scores, the same whatever the number of cores.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Final

THREADS_PER_PROCESS: Final = 1
"""For OpenCV, for OpenMP and BLAS, and for ONNX Runtime."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of mallopt: how much free memory a process keeps, and from which size a block is one of its own,
given back as soon as it is free; 32 MiB at most."""

THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)


def limit_threads() -> None:
    """Set what the libraries read when they are loaded; worker processes inherit it.

    To be called before numpy, OpenCV or ONNX Runtime is imported. ONNX Runtime reads no variable:
    its sessions are given THREADS_PER_PROCESS where they are opened.
    """
    for name in THREAD_VARIABLES:
        os.environ[name] = str(THREADS_PER_PROCESS)


def forgo_requests() -> None:
    """Let `import requests` fail in this process, as where it is not installed.

    pydicom imports it where it is there, to download test files; its import alone opens a socket,
    to try IPv6.
    """
    sys.modules.setdefault("requests", None)  # type: ignore[arg-type]


def forgo_wmi() -> None:
    """Keep `platform` from asking Windows' WMI what PC this is; before anything imports it.

    From Python 3.12 on it asks at the first `platform.system()`, which ONNX Runtime calls at its
    import. Where WMI is slow or forbidden that takes seconds or for ever, and in 3.12 may end the
    process (cpython issues 112278, 125315, 130727). Without WMI it asks the kernel, as before.
    """
    if sys.platform == "win32" and "platform" not in sys.modules:
        sys.modules["_wmi"] = None  # type: ignore[assignment]


def import_opencv() -> ModuleType:
    """Import OpenCV with its threads limited, also where another library has loaded it before."""
    import cv2

    cv2.setNumThreads(THREADS_PER_PROCESS)
    module: ModuleType = cv2
    return module


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Keep native complaints of this block out of what a person sees.

    Where there is no file descriptor 2 there is nothing to silence.
    """
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def silence_stderr() -> None:
    """Keep native complaints out of the progress bar, for the rest of this process.

    libpng and libjpeg write to file descriptor 2; what matters reaches the row as its reason.
    """
    if sys.stderr is not None:  # pythonw on Windows has none
        sys.stderr.flush()
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)


def return_large_blocks() -> None:
    """Give blocks of a film's size back to the system at once, in a process that stays.

    glibc keeps them for the next, up to 32 MB each: the desk's reader held 94 MB instead of 60
    after forty films. Other systems give them back by themselves.
    """
    _set_glibc({_MMAP_THRESHOLD: 1 << 20, _TRIM_THRESHOLD: 1 << 20})


def keep_large_blocks() -> None:
    """Keep blocks of a film's size for the next film, in a process that does nothing but read them.

    glibc decides by itself whether it keeps them, by what came before. Where it does not, each film
    of 2500 x 2048 pays for 3,400 to 5,100 pages that are given back and taken again: 15 ms of 80.
    Other systems are left as they are.
    """
    _set_glibc({_MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20})


def _set_glibc(options: dict[int, int]) -> None:
    """Call mallopt(3) with each option; does nothing where there is no glibc."""
    if sys.platform != "linux":
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        for option, value in options.items():
            mallopt(option, value)
