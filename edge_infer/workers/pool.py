"""Run the work on files in worker processes: a native crash or a hang costs one row.

Decoders are native code fed with files from anywhere. Each worker holds a file it reads and one
it reads next, so that it never waits for the caller while there is work; what is finished and not
yet taken is bounded too, so memory does not grow with the folder. Of a worker that dies only the
file it was reading is suspected; the next one is handed out again. A suspect is tried once more,
alone and in a fresh worker: it may only have been a victim (of memory running out beside another
large film), and a second death is its own doing.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage
from edge_infer.pc.machine import MOST_WORKERS
from edge_infer.workers.process import Bug, Lost, Ready, Result, serve, timed_out

T = TypeVar("T")
Request = TypeVar("Request")

_AHEAD: Final = 2
"""Files a worker holds: the one it reads and the next. A third would save nothing more (a message
takes 0.1 ms) and be one more to hand out again when a worker dies."""
_START_LIMIT_S = 180.0
"""It imports numpy, OpenCV and the decoders first: slow on a cold disk with a virus scanner."""
_START_ATTEMPTS = 3
_KILL_LIMIT_S = 5.0

_CRASHED: Final = Lost(
    "The picture in this file makes the decoder crash, so the file is probably damaged; "
    "export it again from the X-ray machine or the archive."
)


class Pool(Protocol):
    """What applies work to files, as `run_isolated` does; a test has its own."""

    def __call__(
        self,
        work: Callable[[Path], T],
        paths: Sequence[Path],
        *,
        workers: int,
        timeout_s: float = ...,
        set_up: Callable[[], object] | None = ...,
        crew: Crew | None = ...,
    ) -> Generator[tuple[int, T | ImageError], None, None]: ...


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
    set_up: Callable[[], object] | None = None,
    crew: Crew | None = None,
) -> Generator[tuple[int, T | ImageError], None, None]:
    """Apply `work` to every path in worker processes; yield (index, result) as they complete.

    The processes are started before this returns; a `crew` of `start_workers` has started already,
    and is this call's own from now on. `work` and `set_up`, which each worker calls
    once before its first file, are functions at the top level of an importable module; what `work`
    returns is pickled. An ImageError it raises is the result of its file. A file that twice ends
    its worker, or its memory, becomes UnreadableImage (decoder_crashed); one that takes longer than
    `timeout_s` seconds, counted from when a worker has begun it, UnreadableImage (decoder_timeout).
    Any other exception is a bug and is raised here, caused by a WorkerError with its traceback.
    Raises RuntimeError when workers cannot start. Closing the generator ends all workers.
    """
    if workers < 1 or timeout_s <= 0:
        raise ValueError(f"workers {workers} and timeout_s {timeout_s} must be positive")
    crew = crew or Crew()
    crew.set_task(pickle.dumps((set_up, work)), timeout_s)
    results = _run(crew, paths, min(workers, MOST_WORKERS))
    # A generator that has begun ends its workers when it is closed or forgotten; one that has not
    # would forget them.
    next(results)
    return results


def start_workers(count: int) -> Crew:
    """Start processes that load numpy and OpenCV while the caller prepares `run_isolated`.

    It saves the 0.1 s that the caller's own imports take. Close the crew if it is not used.
    """
    crew = Crew()
    crew.grow(min(count, MOST_WORKERS))
    return crew


def _run(crew: Crew, paths: Sequence[Path], workers: int) -> Generator[tuple[int, Any], None, None]:
    """Start the workers and yield once, at once; then every index with its result."""
    suspects: list[int] = []
    try:
        crew.grow(min(workers, len(paths)))
        yield -1, None
        for index, result in _run_side_by_side(crew, paths, range(len(paths)), size=workers):
            if isinstance(result, Lost):
                suspects.append(index)
            else:
                yield index, result
        for suspect in suspects:
            crew.close()
            for index, result in _run_side_by_side(crew, paths, [suspect], size=1):
                if isinstance(result, Lost):
                    result = UnreadableImage(result.message, ReasonCode.DECODER_CRASHED)
                yield index, result
    finally:
        crew.close()


def _run_side_by_side(
    crew: Crew, paths: Sequence[object], indices: Iterable[int], *, size: int
) -> Generator[tuple[int, Any], None, None]:
    """Yield each index with what `work` returned, an ImageError or a Lost.

    Between two results, while the caller was busy, one message of each worker is taken and new
    files are handed out.
    """
    waiting = deque(indices)
    finished: deque[tuple[int, Any]] = deque()
    while waiting or finished or crew.held():
        crew.grow(min(size, len(waiting) + crew.held()))
        for worker in crew.wait(is_patient=not finished):
            finished.extend(crew.take_news(worker, waiting))
        if len(finished) <= size * _AHEAD:  # else memory would grow behind a slow caller
            crew.hand_out(waiting, paths)
        if finished:
            yield finished.popleft()


class StandingWorker(Generic[Request, T]):
    """One process that stays and answers requests one by one, whoever's thread asks.

    A request that ends it, or takes longer than `timeout_s` seconds, costs that request: the next
    has a new process. It begins with the first request, or when it is told to, and ends when nobody
    has asked for `rest_after_s` seconds: it holds 50 MB.
    """

    def __init__(
        self,
        work: Callable[[Request], T],
        *,
        set_up: Callable[[], object] | None = None,
        timeout_s: float = 30.0,
        rest_after_s: float = 600.0,
    ) -> None:
        """Start nothing yet; `work` and `set_up` as in `run_isolated`."""
        self._task, self._timeout_s = pickle.dumps((set_up, work)), timeout_s
        self._rest_after_s = rest_after_s
        self._lock = threading.Lock()
        self._crew: Crew | None = None
        self._rest: threading.Timer | None = None

    def begin(self) -> None:
        """Start the process, if it is not there, so that the next request need not wait for it."""
        with self._lock:
            self._awake()

    def apply(self, request: Request) -> T:
        """Return what `work` makes of a request; raises the ImageError it raised.

        Any other exception is a bug, and is raised here.
        """
        with self._lock:
            try:
                ((_, result),) = _run_side_by_side(self._awake(), [request], [0], size=1)
            except BaseException:
                self._end()
                raise
        if isinstance(result, Lost):
            result = UnreadableImage(result.message, ReasonCode.DECODER_CRASHED)
        if isinstance(result, ImageError):
            raise result
        answer: T = result
        return answer

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _awake(self) -> Crew:
        """Return the crew of one, begun where there is none, and put its rest off."""
        if self._rest is not None:
            self._rest.cancel()
        self._rest = threading.Timer(self._rest_after_s, self.close)
        self._rest.daemon = True
        self._rest.start()
        if self._crew is None:
            self._crew = Crew()
            self._crew.set_task(self._task, self._timeout_s)
            self._crew.grow(1)
        return self._crew

    def _end(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        if self._crew is not None:
            self._crew.close()
        self._crew = self._rest = None


class _Worker:
    """One process, its pipe, and the files it holds."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe(duplex=True)
        self.process = context.Process(target=serve, args=(theirs,), daemon=True)
        self.held: deque[int] = deque()
        """Indices in the order given; it reads the first."""
        self.ready = False
        self.deadline = time.monotonic() + _START_LIMIT_S
        try:
            self.process.start()
        except BaseException:
            self.connection.close()
            raise
        finally:
            theirs.close()

    def take_task(self, pickled_task: bytes) -> None:
        """Give it its task and the time to get ready; one that is gone shows in `Crew.wait`."""
        self.deadline = time.monotonic() + _START_LIMIT_S
        with contextlib.suppress(OSError):
            self.connection.send(pickled_task)

    def hold(self, index: int, path: object, timeout_s: float) -> bool:
        """Hand over a file; False when the process is gone, which `Crew.wait` then reports."""
        try:
            self.connection.send(path)
        except OSError:
            return False
        if not self.held:
            self.deadline = time.monotonic() + timeout_s
        self.held.append(index)
        return True

    def let_go(self, timeout_s: float) -> int:
        """Return the index it is done with; it has begun the next one by now, at the latest."""
        assert self.held, "a result without a file"
        self.deadline = time.monotonic() + timeout_s
        return self.held.popleft()

    def receive(self) -> object:
        """Return the worker's next message, `_CRASHED` where its pipe ended, None if silent."""
        try:
            return self.connection.recv() if self.connection.poll() else None
        except (EOFError, OSError, pickle.UnpicklingError):
            return _CRASHED

    def is_late(self) -> bool:
        return bool(self.held or not self.ready) and time.monotonic() >= self.deadline

    def dismiss(self) -> None:
        """End the process; one stuck in the operating system (a dead network drive) is left."""
        self.connection.close()
        self.process.kill()
        self.process.join(_KILL_LIMIT_S)
        if self.process.exitcode is not None:
            self.process.close()


class Crew:
    """The workers alive; every way a worker can end is handled here."""

    def __init__(self) -> None:
        self._timeout_s = 0.0
        self._task: bytes | None = None
        self._workers: list[_Worker] = []
        self._failed_starts = 0

    def set_task(self, pickled_task: bytes, timeout_s: float) -> None:
        """Give every worker, those to come too, its task; once, before any file."""
        assert self._task is None, "a crew works for one call"
        self._task, self._timeout_s = pickled_task, timeout_s
        for worker in self._workers:
            worker.take_task(pickled_task)

    def held(self) -> int:
        """Count the files that workers hold."""
        return sum(len(worker.held) for worker in self._workers)

    def grow(self, size: int) -> None:
        while len(self._workers) < size:
            worker = _Worker()
            self._workers.append(worker)
            if self._task is not None:
                worker.take_task(self._task)

    def hand_out(self, waiting: deque[int], paths: Sequence[object]) -> None:
        """Give every ready worker a file, then one ahead; the last ones go to whoever is free."""
        for ahead in range(_AHEAD):
            for worker in self._workers:
                is_free = worker.ready and len(worker.held) == ahead
                if not is_free or len(waiting) <= ahead * len(self._workers):
                    continue
                if worker.hold(waiting[0], paths[waiting[0]], self._timeout_s):
                    waiting.popleft()

    def wait(self, *, is_patient: bool) -> list[_Worker]:
        """Return the workers with news: a message, their death, a deadline passed.

        Where `is_patient`, sleep until there are some.
        """
        handles: list[Any] = [worker.connection for worker in self._workers]
        # On Windows the pipe of a process that dies before it has opened it does not end.
        handles += [worker.process.sentinel for worker in self._workers if not worker.ready]
        active = [worker for worker in self._workers if worker.held or not worker.ready]
        soonest = min((worker.deadline for worker in active), default=0.0)
        patience = max(0.0, soonest - time.monotonic()) if is_patient else 0.0
        signalled = set(wait(handles, patience))
        return [
            worker
            for worker in self._workers
            if worker.is_late() or signalled & {worker.connection, worker.process.sentinel}
        ]

    def take_news(self, worker: _Worker, waiting: deque[int]) -> list[tuple[int, Any]]:
        """Return index and result of the file the worker is done with, or that is done with it.

        A message counts before a deadline or a death: a late result is still a result, and what
        comes after it shows in the next `wait`. What a worker that is gone had not begun goes back
        to the head of `waiting`.
        """
        was_alive = worker.process.is_alive()  # before the pipe: nothing it sent comes after this
        message = worker.receive()
        if isinstance(message, Ready):
            worker.ready = True
            return []
        if isinstance(message, Result):
            self._failed_starts = 0
            return [(worker.let_go(self._timeout_s), message.value)]
        if isinstance(message, Bug):
            raise message.error or RuntimeError(message.trace) from WorkerError(message.trace)
        if message is None and worker.is_late():
            message = timed_out(self._timeout_s)
        elif message is None and not was_alive:
            message = _CRASHED
        return [] if message is None else self._lose(worker, message, waiting)

    def close(self) -> None:
        """End all processes, side by side: the system takes 10 ms to clear one away."""
        for worker in self._workers:
            worker.process.kill()
        while self._workers:
            self._dismiss(self._workers[-1])

    def _lose(self, worker: _Worker, message: object, waiting: deque[int]) -> list[tuple[int, Any]]:
        """Dismiss a worker; return the file it was reading, if any, with what it made of it."""
        self._dismiss(worker)
        if not worker.held:
            self._count_failed_start()
            return []
        self._failed_starts = 0
        suspect = worker.held.popleft()
        waiting.extendleft(reversed(worker.held))
        return [(suspect, message)]

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
