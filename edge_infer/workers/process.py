"""The worker's side of the pool: one process that answers each path with one message."""

from __future__ import annotations

import pickle
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage
from edge_infer.pc.native_code import (
    forgo_requests,
    forgo_wmi,
    import_opencv,
    keep_large_blocks,
    limit_threads,
    silence_stderr,
)


@dataclass(frozen=True)
class Ready:
    """Everything is imported and set up; the worker waits for a path."""


@dataclass(frozen=True)
class Result:
    value: Any
    """What `work` returned, or the ImageError it raised."""


@dataclass(frozen=True)
class Bug:
    error: Exception | None
    """None where the exception cannot be pickled; `trace` says all of it."""
    trace: str


@dataclass(frozen=True)
class Lost:
    """The file ended its worker, or its memory."""

    message: str
    """The sentence for the row, if the file does so again."""


OUT_OF_MEMORY: Final = Lost(
    "There was not enough memory to read this file; close other programs and run again."
)


def timed_out(timeout_s: float) -> UnreadableImage:
    """Return the result of a file whose worker was ended because it took too long."""
    return UnreadableImage(
        f"Reading this file took longer than {timeout_s:g} seconds, so it was given up; "
        "export it again from the X-ray machine or the archive.",
        ReasonCode.DECODER_TIMEOUT,
    )


def serve(connection: Connection[object, object]) -> None:
    """Receive the task, then answer each request, in order, with a Result, a Bug or a Lost.

    The task, (set_up or None, work), comes pickled so that a failure to import it is told to the
    parent instead of looking like a crash. It comes through the pipe so that a worker can load
    numpy and OpenCV before its parent has. Ends when the pipe closes. Control-C is left to the
    parent, which ends its workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    forgo_wmi()
    forgo_requests()
    limit_threads()
    keep_large_blocks()
    try:
        try:
            import_opencv()
            silence_stderr()
            task = connection.recv()
            assert isinstance(task, bytes)
            set_up, work = pickle.loads(task)
            if set_up is not None:
                set_up()
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent raises it
            connection.send(_describe(error))
            return
        connection.send(Ready())
        while True:
            _answer(connection, work, connection.recv())
    except (EOFError, OSError):
        return  # the parent is gone or has closed the pipe


def _answer(
    connection: Connection[object, object], work: Callable[[Any], Any], request: object
) -> None:
    try:
        try:
            result = Result(work(request))
        except ImageError as error:
            result = Result(error)
        # A result is pickled whole before its first byte is sent, so a failure here can be told.
        connection.send(result)
    except MemoryError:
        connection.send(OUT_OF_MEMORY)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent raises it
        connection.send(_describe(error))


def _describe(error: Exception) -> Bug:
    trace = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - exceptions of other packages may refuse pickling in any way
        return Bug(None, trace)
    return Bug(error, trace)
