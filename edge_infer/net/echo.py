"""`cxr-listen --check`: ask another node for an echo, and say in one sentence what is wrong."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Any, Final, cast

from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association

from edge_infer.net.address import NodeAddress
from edge_infer.net.services import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION,
    VERIFICATION_CLASS,
    VERIFICATION_SYNTAXES,
)
from edge_infer.net.sockets import close_sockets_for_sure
from edge_infer.net.tls import explain_handshake

_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class EchoResult:
    """How an echo went."""

    ok: bool
    sentence: str


def make_entity(ae_title: str, *, timeout_s: float = _TIMEOUT_S) -> ApplicationEntity:
    """Return a node that calls others under this title."""
    entity = ApplicationEntity(ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION
    entity.connection_timeout = entity.acse_timeout = timeout_s
    entity.dimse_timeout = entity.network_timeout = timeout_s
    return entity


def echo(
    node: NodeAddress,
    *,
    calling: str,
    tls: ssl.SSLContext | None = None,
    timeout_s: float = _TIMEOUT_S,
) -> EchoResult:
    """Send a C-ECHO to `node` from the title `calling`; no failure raises."""
    try:
        # pynetdicom does not tell why it could not connect.
        socket.create_connection((node.host, node.port), timeout=timeout_s).close()
    except OSError as error:
        return EchoResult(ok=False, sentence=_explain_connection(node, error))
    entity = make_entity(calling, timeout_s=timeout_s)
    entity.add_requested_context(VERIFICATION_CLASS, [one.uid for one in VERIFICATION_SYNTAXES])
    rejected: list[tuple[int, int, int]] = []
    close_sockets_for_sure()
    association = entity.associate(
        node.host,
        node.port,
        ae_title=node.ae_title,
        tls_args=(tls, node.host) if tls is not None else None,
        evt_handlers=[(evt.EVT_ACSE_RECV, note_rejection, [rejected])],
    )
    if not association.is_established:
        sentence = explain_failure(node, calling, association, rejected, tls)
        return EchoResult(ok=False, sentence=sentence)
    status = association.send_c_echo()
    association.release()
    code = status.get("Status") if status else None
    if code == 0:
        return EchoResult(ok=True, sentence=f"{node} answers: it is a DICOM node and knows us.")
    said = f"answered the echo with status {code:04X}" if code is not None else "gave no answer"
    return EchoResult(ok=False, sentence=f"{node} took the association but {said}: ask its owner.")


def note_rejection(event: evt.Event, rejected: list[tuple[int, int, int]]) -> None:
    one: Any = cast(Any, event).primitive
    if getattr(one, "result", None):
        rejected.append((int(one.result), int(one.result_source), int(one.diagnostic)))


def explain_failure(
    node: NodeAddress,
    calling: str,
    association: Association,
    rejected: list[tuple[int, int, int]],
    tls: ssl.SSLContext | None = None,
) -> str:
    """Say in one sentence why an association did not come about."""
    if rejected:
        _, source, reason = rejected[-1]
        if (source, reason) == (1, 3):
            return (
                f"{node} does not know the AE title {calling} from this PC: enter {calling} with "
                "this PC's address there."
            )
        if (source, reason) == (1, 7):
            return (
                f"{node} is not called {node.ae_title}: ask for its AE title and write "
                f"TITLE@{node.host}:{node.port}."
            )
        if source == 3:
            return f"{node} is too busy: it has as many associations as it allows, try again later."
        return f"{node} rejects associations (source {source}, reason {reason}): ask its owner."
    if tls is not None and (why := explain_handshake(node.host, node.port, tls, _TIMEOUT_S)):
        return f"{node} and this PC do not come together by TLS ({why}): check the certificates."
    if association.is_aborted:
        return (
            f"{node} breaks off: it may be no DICOM node, or want TLS, or speak it where we do not."
        )
    return f"{node} does not answer as a DICOM node does: check address, port and TLS."


def _explain_connection(node: NodeAddress, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"There is no PC called {node.host} in this network: check the spelling."
    if isinstance(error, ConnectionRefusedError):
        return (
            f"{node.host} is there, but nothing listens on port {node.port}: check the port, and "
            "that the program there is running."
        )
    if isinstance(error, TimeoutError):
        return (
            f"{node.host}, port {node.port}, does not answer: check address and cable, and that no "
            "firewall stands between."
        )
    return f"{node.host}, port {node.port}, cannot be reached ({error.strerror or error})."
