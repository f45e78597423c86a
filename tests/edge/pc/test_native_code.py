"""One thread for every library in C, in this process and in the workers."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from edge_infer.model.classifier import Classifier
from edge_infer.pc.native_code import THREAD_VARIABLES, THREADS_PER_PROCESS
from edge_infer.workers.pool import run_isolated
from tests.edge.made_day import TINY
from tests.edge.workers import isolated_work

ROOT = Path(__file__).resolve().parents[3]


def test_workers_have_one_thread_per_library() -> None:
    facts = dict(run_isolated(isolated_work.tell_threads, [Path("a")], workers=1))[0]
    assert facts == {"opencv": 1, **dict.fromkeys(THREAD_VARIABLES, "1")}


def test_the_network_has_one_thread() -> None:
    assert Classifier.load(TINY).threads == THREADS_PER_PROCESS == 1


@pytest.mark.skipif(sys.platform == "win32", reason="OpenCV reads no variable on Windows")
def test_the_variables_limit_opencv_by_themselves() -> None:
    """For whoever imports it without asking `native_code`; two processors at least, to tell."""
    code = (
        "from edge_infer.pc.native_code import limit_threads; limit_threads()\n"
        "import cv2; print(cv2.getNumThreads())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == b"1"


def test_importing_opencv_limits_it_whoever_loaded_it_before() -> None:
    code = (
        "import cv2; cv2.setNumThreads(3)\n"
        "from edge_infer.pc.native_code import import_opencv\n"
        "print(import_opencv().getNumThreads())"
    )
    environment = {name: os.environ[name] for name in os.environ if name not in THREAD_VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=True, env=environment
    )
    assert done.stdout.strip() == b"1"


@pytest.mark.parametrize(
    "before",
    [
        "import edge_infer.__main__",
        "import multiprocessing.spawn, edge_infer.workers.process",
    ],
)
def test_wmi_is_out_of_reach_before_anything_asks_what_pc_this_is(before: str) -> None:
    """In the command and in its workers; `platform` falls back where `_wmi` is not there."""
    code = (
        f"import sys; {before}\n"
        "assert 'platform' not in sys.modules, 'imported before the command can begin'\n"
        "from edge_infer.pc.native_code import forgo_wmi\n"
        "here, sys.platform = sys.platform, 'win32'; forgo_wmi(); sys.platform = here\n"
        "try:\n    import _wmi\nexcept ImportError:\n    import platform; print(platform.machine())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=True)
    assert done.stdout.strip()


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="other systems give memory back in their own way"
)
def test_a_process_keeps_large_blocks_or_gives_them_back() -> None:
    """Counted by the pages taken anew while 20 MB are filled and freed again and again."""
    code = (
        "import resource; import numpy as np; from edge_infer.pc import native_code\n"
        "native_code.{}()\n"
        "fill = lambda: [np.ones(2_500_000) for _ in range(1)]\n"
        "fill(); start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(5): fill()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start)"
    )
    taken = {}
    for name in ("keep_large_blocks", "return_large_blocks"):
        words = [sys.executable, "-c", code.format(name)]
        taken[name] = int(subprocess.run(words, capture_output=True, cwd=ROOT, check=True).stdout)
    assert taken["keep_large_blocks"] < 50 < taken["return_large_blocks"]
