"""The node that takes films: C-ECHO and C-STORE, answered with success once a film is durable."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self, cast

from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association

from edge_infer.errors import ImageError, NetError
from edge_infer.films.dicom.file import parse_dicom
from edge_infer.films.dicom.own_results import own_mark
from edge_infer.net.acceptor import IncomingObject, SpoolingServer, stop
from edge_infer.net.limits import Limits
from edge_infer.net.peers import Peer
from edge_infer.net.services import (
    FILM_CLASSES,
    FILM_SYNTAXES,
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION,
    VERIFICATION_CLASS,
    VERIFICATION_SYNTAXES,
    Rejection,
    StoreStatus,
)
from edge_infer.net.spool import Spool, discard, hash_uid
from edge_infer.net.support_log import SupportLog
from edge_infer.net.tls import server_context

_END_PATIENCE_S = 5.0
_PDU_HEADER: Final = 2**10
"""Room for peers that do not count the header in."""
_ACSE_TIMEOUT_S = 20.0
"""How long after connecting a peer may take to ask for an association."""


class Listener:
    """Takes films into a spool from its making until `close`."""

    def __init__(
        self,
        spool: Spool,
        log: SupportLog,
        *,
        ae_title: str,
        address: tuple[str, int],
        peers: Sequence[Peer] | None = None,
        limits: Limits | None = None,
        tls: tuple[Path, Path, Path | None] | None = None,
    ) -> None:
        """Listen at `address` (port 0: any that is free, see `port`).

        Without `peers` every AE title may send, from wherever `address` can be reached. `tls` are
        the files of certificate, key and, where peers must prove who they are, authority. Raises
        NetError.
        """
        self._spool, self._log, self._peers = spool, log, peers
        limits = limits or Limits()
        entity = _make_entity(ae_title, limits)
        context = server_context(*tls) if tls else None
        try:
            self._server = SpoolingServer(
                entity,
                address,
                spool=spool,
                limits=limits,
                ssl_context=context,
                evt_handlers=[
                    (evt.EVT_C_STORE, self._store),
                    (evt.EVT_C_ECHO, self._echo),
                    (evt.EVT_REQUESTED, self._meet),
                    (evt.EVT_REJECTED, self._note_full),
                    (evt.EVT_ABORTED, lambda event: self._note("aborted", event.assoc)),
                    (evt.EVT_RELEASED, lambda event: self._note("released", event.assoc)),
                ],
            )
        except OSError as error:
            raise NetError(
                f"Nothing can listen at {address[0]}, port {address[1]} ({error.strerror}): is "
                "another cxr-listen running? Name another --port or --address."
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="listener", daemon=True
        )
        self._thread.start()
        self._log.write("listening", address=address[0], port=self.port, ae_title=ae_title)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Accept nobody any more, and end what is under way after a while."""
        stop(self._server, patience_s=_END_PATIENCE_S)
        self._thread.join()
        self._log.write("ended")

    def _meet(self, event: evt.Event) -> None:
        """Reject a peer whose title is not expected from where it calls."""
        association = event.assoc
        self._note("requested", association)
        rejection = self._judge(association)
        if rejection is not None:
            association.acse.send_reject(rejection.result, rejection.source, rejection.reason)
            self._note("rejected", association, reason=rejection.title)
            association.kill()

    def _judge(self, association: Association) -> Rejection | None:
        request = association.requestor.primitive
        assert request is not None, "it asked"
        if (request.called_ae_title or "").strip() != association.acceptor.ae_title.strip():
            return Rejection.CALLED
        title, address = (request.calling_ae_title or "").strip(), _address(association)
        known = self._peers
        if known is not None and not any(peer.is_this(title, address) for peer in known):
            return Rejection.CALLING
        return None

    def _note_full(self, event: evt.Event) -> None:
        # What is rejected by its title never comes to the end of negotiation.
        self._note("rejected", event.assoc, reason=Rejection.FULL.title)

    def _echo(self, event: evt.Event) -> int:
        self._note("echo", event.assoc)
        return 0x0000

    def _store(self, event: evt.Event) -> int:
        began = time.monotonic()
        request = cast(Any, event.request)
        uid = str(request.AffectedSOPInstanceUID or "")
        incoming = request.DataSet
        status = StoreStatus.NOT_UNDERSTOOD
        size = 0
        if isinstance(incoming, IncomingObject):
            size = incoming.size
            status = self._keep(incoming, uid, str(request.AffectedSOPClassUID or ""))
        self._note(
            "store",
            event.assoc,
            object=hash_uid(uid),
            bytes=size,
            syntax=str(event.context.transfer_syntax),
            status=f"{status.code:04X}",
            seconds=round(time.monotonic() - began, 3),
        )
        return status.code

    def _keep(self, incoming: IncomingObject, uid: str, sop_class: str) -> StoreStatus:
        taken = incoming.take_file()
        if taken is None:
            return incoming.refusal or StoreStatus.NOT_UNDERSTOOD  # an object of no byte
        path, file = taken
        try:
            file.flush()
            status = look_at_object(path, uid, sop_class)
            if status is StoreStatus.SUCCESS:
                self._spool.keep(path, file, uid)
        except OSError:
            status = StoreStatus.OUT_OF_RESOURCES
        if status is not StoreStatus.SUCCESS:
            discard(path, file)
        return status

    def _note(self, what: str, association: Association, **facts: str | int | float) -> None:
        title = str(association.requestor.ae_title or "").strip()
        if not title and association.requestor.primitive is not None:
            title = str(association.requestor.primitive.calling_ae_title or "").strip()
        self._log.write(what, peer=title, address=_address(association), **facts)


def _make_entity(ae_title: str, limits: Limits) -> ApplicationEntity:
    entity = ApplicationEntity(ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION
    entity.maximum_associations = limits.associations
    entity.maximum_pdu_size = limits.pdu_bytes - _PDU_HEADER
    entity.network_timeout = entity.dimse_timeout = limits.silence_s
    entity.acse_timeout = min(_ACSE_TIMEOUT_S, limits.silence_s)
    entity.add_supported_context(VERIFICATION_CLASS, [one.uid for one in VERIFICATION_SYNTAXES])
    for sop_class in FILM_CLASSES:
        entity.add_supported_context(sop_class, [one.uid for one in FILM_SYNTAXES])
    return entity


def _address(association: Association) -> str:
    info = association.requestor.address_info
    return str(info.address) if info is not None else ""


def look_at_object(path: Path, uid: str, sop_class: str | None = None) -> StoreStatus:
    """Tell from its header whether an object that has arrived is to be kept.

    `uid` and `sop_class` are what was announced; None where the class was not.
    """
    with path.open("rb") as stream:
        try:
            film = parse_dicom(stream)
        except ImageError:
            return StoreStatus.NOT_UNDERSTOOD
        elements = film.elements
        if film.is_cut:
            return StoreStatus.NOT_UNDERSTOOD
    if elements.text("SOPInstanceUID") != uid:
        return StoreStatus.WRONG_CLASS
    if sop_class is not None and elements.text("SOPClassUID") != sop_class:
        return StoreStatus.WRONG_CLASS
    return StoreStatus.SUCCESS if own_mark(elements) is None else StoreStatus.OWN_RESULT
