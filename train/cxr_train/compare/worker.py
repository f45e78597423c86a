"""A process of our own that runs our commands one after the other and loads torch once for all.

`cxr_train` must not import `cxr_export`, so its command is named here and run there; and a command
that dies takes no other with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from types import TracebackType
from typing import Self

from cxr_train.terminal import SHOWN_BY_PARENT, TO_PARENT, Task

_ENDED = "\x03"
"""Begins the line that says with which code a command ended."""


class Worker:
    """The process, started when it is first needed and again after it died."""

    def __init__(self, *, threads: int = 0) -> None:
        self._threads = threads
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """End the process at once: between commands it has nothing to save, and torch takes seconds
        to leave by itself."""
        if self._process is not None:
            self._process.kill()
        self._close()

    def run(self, module: str, words: Sequence[object], task: Task) -> tuple[int, str]:
        """Run the command in `module` with these words; return its exit code and what it said.

        `task` shows how far it is.
        """
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps([module, *map(str, words)]) + "\n")
        process.stdin.flush()
        said: list[str] = []
        for line in process.stdout:
            if line.startswith(TO_PARENT):
                task.note(line[1:].strip())
            elif line.startswith(_ENDED):
                return int(line[1:]), "".join(said)
            else:
                said.append(line)
        return process.wait() or 1, "".join(said)

    def _close(self) -> None:
        """Let the process end, as it does when nothing more can be asked."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        with suppress(OSError):
            process.stdin.close()
        process.wait()
        process.stdout.close()

    def _started(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is not None:
            self._close()
        if self._process is None:
            more = {"OMP_NUM_THREADS": str(self._threads)} if self._threads else {}
            environment = {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", SHOWN_BY_PARENT: "1", **more}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cxr_train.compare.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                env={**os.environ, **environment},
            )
        return self._process


def last_line(said: str) -> str:
    """Return what a command said last, without its own name."""
    line = (said.strip().splitlines() or ["it said nothing"])[-1]
    return line.removeprefix("cxr-train: ").removeprefix("cxr-export: ")


def main() -> None:
    """Run commands as they are asked for, until nothing more can be asked."""
    for line in sys.stdin:
        module, *words = json.loads(line)
        print(f"{_ENDED}{_run(module, words)}", flush=True)  # noqa: T201


def _run(module: str, words: Sequence[str]) -> int:
    from edge_infer.commands.ending import run_command

    room = import_module(module)
    name = module.partition(".")[0].replace("_", "-")
    try:
        run_command(name, room.app, words, extra_modules=room.EXTRA_MODULES)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


if __name__ == "__main__":
    main()
