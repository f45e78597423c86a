"""The listener's log: who asked for what and what was answered, and nothing of a patient.

One JSON object a line. Objects are named by the hash that also names their file; of a peer there
are its AE title and its address. The file turns over at 4 MB, and three old ones stay.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from edge_infer.errors import ReportError

LOG_NAME: Final = "dicom.log"
_BYTES, _OLD_FILES = 4_000_000, 3


class SupportLog:
    """A log that may be sent to whoever helps; `close` it."""

    def __init__(self, folder: Path) -> None:
        """Begin or go on in `folder`; ReportError where it cannot be written."""
        try:
            self._handler = RotatingFileHandler(
                folder / LOG_NAME, maxBytes=_BYTES, backupCount=_OLD_FILES, encoding="utf-8"
            )
        except OSError as error:
            raise ReportError(f"No log can be written in {folder} ({error.strerror}).") from error
        # A full disk must not stop a transfer, nor print a traceback.
        self._handler.handleError = lambda record: None  # type: ignore[method-assign]  # noqa: ARG005

    def write(self, event: str, **facts: str | int | float) -> None:
        """Append one line; may be called from any thread."""
        at = datetime.now().astimezone().isoformat(timespec="milliseconds")
        text = json.dumps({"at": at, "event": event, **facts})
        self._handler.handle(logging.LogRecord("", logging.INFO, "", 0, text, None, None))

    def close(self) -> None:
        self._handler.close()
