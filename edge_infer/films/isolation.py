"""Run the decoding of files in worker processes: a native crash or a hang costs one row.

Decoders are native code fed with files from anywhere. Each worker has at most one file in flight
and one result waiting in its pipe, so memory does not grow with the folder. A file whose worker
dies is tried once more, alone and in a fresh worker: it may only have been a victim (of memory
running out beside another large film), and a second death is its own doing.
"""

from __future__ import annotations

import multiprocessing
import pickle
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Final, TypeVar

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage
from edge_infer.films.isolation_worker import Bug, Lost, Ready, Result, serve

T = TypeVar("T")

_START_LIMIT_S = 180.0
"""It imports numpy, OpenCV and the decoders first: slow on a cold disk with a virus scanner."""
_START_ATTEMPTS = 3
_KILL_LIMIT_S = 5.0

_CRASHED: Final = Lost(
    "The picture in this file makes the decoder crash, so the file is probably damaged; "
    "export it again from the X-ray machine or the archive."
)


class WorkerError(Exception):
    """The traceback text of a worker, as the cause of the exception raised here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def run_isolated(
    work: Callable[[Path], T],
    paths: Sequence[Path],
    *,
    workers: int,
    timeout_s: float = 30.0,
) -> Generator[tuple[int, T | ImageError], None, None]:
    """Apply `work` to every path in worker processes; yield (index, result) as they complete.

    `work` is a function at the top level of an importable module; what it returns is pickled. An
    ImageError it raises is the result of its file. A file that twice ends its worker, or its
    memory, becomes UnreadableImage (decoder_crashed); one that takes longer than `timeout_s`
    seconds, counted from when a worker has begun it, UnreadableImage (decoder_timeout). Any other
    exception is a bug and is raised here, caused by a WorkerError with its traceback. Raises
    RuntimeError when workers cannot start. Closing the generator ends all workers.
    """
    if workers < 1 or timeout_s <= 0:
        raise ValueError(f"workers {workers} and timeout_s {timeout_s} must be positive")
    crew = _Crew(work, timeout_s)
    suspects: list[int] = []
    try:
        for index, result in _run_side_by_side(crew, paths, range(len(paths)), size=workers):
            if isinstance(result, Lost):
                suspects.append(index)
            else:
                yield index, result
        for suspect in suspects:
            crew.dismiss_all()
            for index, result in _run_side_by_side(crew, paths, [suspect], size=1):
                if isinstance(result, Lost):
                    result = UnreadableImage(result.message, ReasonCode.DECODER_CRASHED)
                yield index, result
    finally:
        crew.dismiss_all()


def _run_side_by_side(
    crew: _Crew, paths: Sequence[Path], indices: Iterable[int], *, size: int
) -> Generator[tuple[int, Any], None, None]:
    """Yield each index with what `work` returned, an ImageError or a Lost."""
    waiting = deque(indices)
    while waiting or crew.busy():
        crew.grow(min(size, len(waiting) + len(crew.busy())))
        for worker in crew.idle():
            if waiting and worker.begin(waiting[0], paths[waiting[0]], crew.timeout_s):
                waiting.popleft()
        for worker in crew.wait():
            yield from crew.take_news(worker)


class _Worker:
    """One process, its pipe, and the file it holds."""

    def __init__(self, work: bytes) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe(duplex=True)
        self.process = context.Process(target=serve, args=(theirs, work), daemon=True)
        self.index: int | None = None
        self.ready = False
        self.deadline = time.monotonic() + _START_LIMIT_S
        try:
            self.process.start()
        except BaseException:
            self.connection.close()
            raise
        finally:
            theirs.close()

    def begin(self, index: int, path: Path, timeout_s: float) -> bool:
        """Hand over a file; False when the process is gone, which `_Crew.wait` then reports."""
        try:
            self.connection.send(path)
        except OSError:
            self.ready = False
            return False
        self.index = index
        self.deadline = time.monotonic() + timeout_s
        return True

    def receive(self) -> object:
        """Return the worker's message, `_CRASHED` where its pipe ended, None if it is silent."""
        try:
            return self.connection.recv() if self.connection.poll() else None
        except (EOFError, OSError, pickle.UnpicklingError):
            return _CRASHED

    def is_late(self) -> bool:
        return time.monotonic() >= self.deadline

    def dismiss(self) -> None:
        """End the process; one stuck in the operating system (a dead network drive) is left."""
        self.connection.close()
        self.process.kill()
        self.process.join(_KILL_LIMIT_S)
        if self.process.exitcode is not None:
            self.process.close()


class _Crew:
    """The workers alive; every way a worker can end is handled here."""

    def __init__(self, work: Callable[[Path], Any], timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._work = pickle.dumps(work)
        self._workers: list[_Worker] = []
        self._failed_starts = 0

    def busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.index is not None]

    def idle(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.ready and worker.index is None]

    def grow(self, size: int) -> None:
        while len(self._workers) < size:
            self._workers.append(_Worker(self._work))

    def wait(self) -> list[_Worker]:
        """Sleep until a worker has news (a message, its death, a deadline passed); return those."""
        watched = [worker for worker in self._workers if worker.index is not None]
        watched += [worker for worker in self._workers if not worker.ready]
        handles: list[Any] = [worker.connection for worker in watched]
        handles += [worker.process.sentinel for worker in watched]
        soonest = min(worker.deadline for worker in watched)
        signalled = set(wait(handles, max(0.0, soonest - time.monotonic())))
        return [
            worker
            for worker in watched
            if worker.is_late() or signalled & {worker.connection, worker.process.sentinel}
        ]

    def take_news(self, worker: _Worker) -> Generator[tuple[int, Any], None, None]:
        """Yield the index and result of the worker's file where it is done with it, or it with us.

        A message counts before a deadline or a death: a late result is still a result.
        """
        index, message = worker.index, worker.receive()
        if isinstance(message, Bug):
            raise message.error or RuntimeError(message.trace) from WorkerError(message.trace)
        if isinstance(message, Ready):
            worker.ready = True
        elif isinstance(message, Result):
            worker.index = None
            yield self._finish(index, message.value)
        else:
            if message is None:  # silent: too late, or ending (its sentinel may close first)
                message = _timed_out(self.timeout_s) if worker.is_late() else _CRASHED
            self._dismiss(worker)
            if index is None:
                self._count_failed_start()
            else:
                yield self._finish(index, message)

    def dismiss_all(self) -> None:
        while self._workers:
            self._dismiss(self._workers[-1])

    def _finish(self, index: int | None, result: Any) -> tuple[int, Any]:
        assert index is not None, "a result without a file"
        self._failed_starts = 0
        return index, result

    def _dismiss(self, worker: _Worker) -> None:
        worker.dismiss()
        self._workers.remove(worker)

    def _count_failed_start(self) -> None:
        self._failed_starts += 1
        if self._failed_starts >= _START_ATTEMPTS:
            raise RuntimeError(
                f"{_START_ATTEMPTS} reading processes in a row ended before they could begin; "
                "what they said is above"
            )


def _timed_out(timeout_s: float) -> UnreadableImage:
    return UnreadableImage(
        f"Reading this file took longer than {timeout_s:g} seconds, so it was given up; "
        "export it again from the X-ray machine or the archive.",
        ReasonCode.DECODER_TIMEOUT,
    )
