"""Where results go: a DICOM node by C-STORE; an archive by STOW-RS is in `dicomweb.py`."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final, Protocol

from pydicom import dcmread
from pynetdicom import evt

from edge_infer.net.address import NodeAddress
from edge_infer.net.echo import explain_failure, make_entity, note_rejection
from edge_infer.net.services import RESULT_CLASSES, RESULT_SYNTAXES
from edge_infer.net.sockets import close_sockets_for_sure

_TIMEOUT_S: Final = 30.0
_BUSY = range(0xA700, 0xA800)


class Answer(Enum):
    """What became of an object that was sent."""

    TAKEN = auto()
    REFUSED = auto()
    """For what it is."""
    NOT_NOW = auto()
    """The other side is not there, breaks off, or has no room."""


@dataclass(frozen=True, kw_only=True)
class Sending:
    """How one object was answered."""

    name: str
    answer: Answer
    said: str
    """In a few words, without a patient."""


class Target(Protocol):
    """Somewhere results are sent to."""

    @property
    def name(self) -> str:
        """What the outbox calls it."""

    def send(self, files: Sequence[Path]) -> Iterator[Sending]:
        """Send files and yield the answer of each; where the other side breaks off, the rest is
        NOT_NOW."""


@dataclass(frozen=True, kw_only=True)
class NodeTarget:
    """A DICOM node."""

    node: NodeAddress
    calling: str
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return str(self.node)

    def send(self, files: Sequence[Path]) -> Iterator[Sending]:
        entity = make_entity(self.calling, timeout_s=_TIMEOUT_S)
        for sop_class in RESULT_CLASSES:
            entity.add_requested_context(sop_class, [one.uid for one in RESULT_SYNTAXES])
        rejected: list[tuple[int, int, int]] = []
        close_sockets_for_sure()
        association = entity.associate(
            self.node.host,
            self.node.port,
            ae_title=self.node.ae_title,
            tls_args=(self.tls, self.node.host) if self.tls is not None else None,
            evt_handlers=[(evt.EVT_ACSE_RECV, note_rejection, [rejected])],
        )
        if not association.is_established:
            why = explain_failure(self.node, self.calling, association, rejected, self.tls)
            yield from (_not_now(file, why) for file in files)
            return
        with closing(_Released(association)):
            for file in files:
                if not association.is_established:
                    yield _not_now(file, f"{self.node} broke off")
                    continue
                yield _store(association, file)


def _store(association: Any, file: Path) -> Sending:
    try:
        status = association.send_c_store(dcmread(file))
    except ValueError as error:  # no context for its class
        return Sending(name=file.name, answer=Answer.REFUSED, said=f"not accepted: {error}"[:200])
    except (OSError, RuntimeError, AttributeError) as error:  # the association ended meanwhile
        return _not_now(file, type(error).__name__)
    code = status.get("Status") if status else None
    if code is None:
        return _not_now(file, "no answer")
    said = f"status {code:04X}"
    # Warnings (B000 and the like): it is kept, perhaps with elements changed.
    if code == 0 or code >> 12 == 0xB:
        return Sending(name=file.name, answer=Answer.TAKEN, said=said)
    answer = Answer.NOT_NOW if code in _BUSY else Answer.REFUSED
    return Sending(name=file.name, answer=answer, said=said)


def _not_now(file: Path, said: str) -> Sending:
    return Sending(name=file.name, answer=Answer.NOT_NOW, said=said)


class _Released:
    """Ends an association in good order."""

    def __init__(self, association: Any) -> None:
        self._association = association

    def close(self) -> None:
        if self._association.is_established:
            self._association.release()
