"""pynetdicom's acceptor, made to bear peers that are slow, large or malformed.

As it comes, pynetdicom 3.0 gathers objects in memory without a limit, waits for ever in the middle
of a PDU, takes the length that a PDU states, keeps a place for 20 s for a peer that has hung up,
shakes hands for TLS before it accepts the next peer, and lets exceptions of malformed PDUs end its
threads with the connection left open. Here every object goes to the disk as it comes, lengths and
times are bounded, and whatever fails ends its own association and no more.
"""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dsutils import create_file_meta
from pynetdicom.dul import DULServiceProvider
from pynetdicom.events import NotificationEvent
from pynetdicom.pdu import A_ABORT_RQ
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.timer import Timer
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from edge_infer.net.limits import Limits
from edge_infer.net.services import StoreStatus
from edge_infer.net.sockets import close_sockets_for_sure
from edge_infer.net.spool import Spool, discard

_LONGEST_COMMAND = 2**16
"""Bytes of a command set; a C-STORE's has 200."""
_MOST_WAITING = 16
"""Messages that a peer may send before it has an answer; the standard's own number is one."""
_DISCARDED_TIMES = 4
"""Of an object beyond the limit so many times the limit is passed over, for a status at its end;
then the association is aborted."""
_SPARE_CONNECTIONS = 8
"""Beyond the associations allowed, so that a peer too many hears why it is rejected."""
_CHECK_DISK_EVERY = 2**24
_PDU_HEAD, _ITEM_HEAD = 6, 6
_ONE_ITEM = struct.Struct(">BxLLBB")
"""A P-DATA-TF (PS3.8 9.3.5) with one item: type, length; length, context, control header."""
_P_DATA, _LAST_PDU_TYPE = 4, 7
_ESTABLISHED, _REQUESTED = "Sta6", "Evt6"
"""State and event of PS3.8 9.2: ready for data; an association is asked for."""


class _TooMuch(Exception):
    """The peer asks for more than is borne: the association is aborted."""


class IncomingObject(io.BytesIO):
    """Takes the place of the memory where a data set would be gathered; the data goes to the disk.

    After the last fragment `path` is its file, with file meta information, or `refusal` says why
    there is none.
    """

    def __init__(self, spool: Spool, limits: Limits, describe: Callable[[], Any]) -> None:
        """`describe` returns the file meta information, once the command set is there."""
        super().__init__()
        self._spool, self._limits, self._describe = spool, limits, describe
        self.path: Path | None = None
        self.file: BinaryIO | None = None
        self.refusal: StoreStatus | None = None
        self.size = 0
        """Bytes of the data set so far, those passed over too."""
        self._checked_at = -_CHECK_DISK_EVERY

    def write(self, data: Any, /) -> int:
        """Take a fragment; never raises OSError, which is the object's refusal."""
        self.size += len(data)
        if self.refusal is None:
            try:
                self._write(data)
            except OSError:
                self._refuse()
        elif self.size > _DISCARDED_TIMES * self._limits.object_bytes:
            raise _TooMuch
        return len(data)

    def take_file(self) -> tuple[Path, BinaryIO] | None:
        """Hand the file over, to be kept or discarded; None where there is none."""
        taken = (self.path, self.file)
        self.path = self.file = None
        return cast(tuple[Path, BinaryIO], taken) if taken[1] is not None else None

    def give_up(self) -> None:
        """Remove what is there of the object."""
        if (taken := self.take_file()) is not None:
            discard(*taken)

    def _write(self, data: Any) -> None:
        if self.size > self._limits.object_bytes:
            return self._refuse()
        if self.size - self._checked_at >= _CHECK_DISK_EVERY:
            self._checked_at = self.size
            if self._spool.free_bytes() < self._limits.free_bytes:
                return self._refuse()
        if self.file is None:
            self.path, self.file = self._spool.begin()
            self.file.write(b"\0" * 128 + b"DICM")
            write_file_meta_info(cast(Any, self.file), self._describe())
        self.file.write(data)
        return None

    def _refuse(self) -> None:
        self.refusal = StoreStatus.OUT_OF_RESOURCES
        self.give_up()


class _CommandSet(io.BytesIO):
    """The command set's memory, bounded."""

    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > _LONGEST_COMMAND:
            raise _TooMuch
        return super().write(data)


class SpoolingDimse(DIMSEServiceProvider):
    """Gathers messages whose data sets go to the disk."""

    def __init__(self, association: Association, spool: Spool, limits: Limits) -> None:
        super().__init__(association)
        self._spool, self._limits = spool, limits
        self._open: list[IncomingObject] = []

    def receive_primitive(self, primitive: P_DATA) -> None:
        try:
            if self.msg_queue.qsize() >= _MOST_WAITING:
                raise _TooMuch
            if self.message is None:
                self.message = self._new_message()
            super().receive_primitive(primitive)
        # What a malformed command set raises in pynetdicom and pydicom is no closed list.
        except Exception:  # noqa: BLE001
            self.message = None
            self.dul.event_queue.put("Evt19")  # an invalid PDU: the association is aborted

    def take_fragment(self, pdu: memoryview) -> bool:
        """Take a P-DATA-TF that holds one piece of an object's data and not its last.

        So nearly all of a film comes. False, and nothing taken, where it holds something else.
        """
        message = self.message
        if message is None or message.context_id is None or len(pdu) < _PDU_HEAD + _ITEM_HEAD:
            return False
        kind, length, item_length, context_id, control = _ONE_ITEM.unpack_from(pdu)
        is_one_item = kind == _P_DATA and item_length == length - 4 and control & 3 == 0
        incoming = message.data_set
        if not (is_one_item and context_id == message.context_id) or not isinstance(
            incoming, IncomingObject
        ):
            return False
        try:
            incoming.write(pdu[_PDU_HEAD + _ITEM_HEAD :])
        except _TooMuch:
            self.message = None
            self.dul.event_queue.put("Evt19")
        return True

    def give_up(self) -> None:
        """Remove what is there of objects that did not come to their end."""
        for one in self._open:
            one.give_up()

    def _new_message(self) -> DIMSEMessage:
        message = DIMSEMessage()
        message.encoded_command_set = _CommandSet()
        incoming = IncomingObject(self._spool, self._limits, lambda: self._describe(message))
        message.data_set = incoming
        self._open = [one for one in self._open if one.file is not None] + [incoming]
        return message

    def _describe(self, message: DIMSEMessage) -> Any:
        command = message.command_set
        syntax = self.assoc._accepted_cx[cast(int, message.context_id)].transfer_syntax[0]
        return create_file_meta(
            sop_class_uid=UID(str(command.AffectedSOPClassUID)),
            sop_instance_uid=UID(str(command.AffectedSOPInstanceUID)),
            transfer_syntax=syntax,
        )


class _BoundedSocket(AssociationSocket):
    """Reads PDUs no longer and no slower than is borne."""

    def __init__(self, association: Association, client: socket.socket, limits: Limits) -> None:
        close_sockets_for_sure()
        super().__init__(association, client_socket=client)
        self._limits = limits

    def recv(self, nr_bytes: int) -> bytearray:
        """Return `nr_bytes`, fewer where the peer hung up; raises OSError beyond the limits."""
        # Of an association request nothing bounds the length but sense; others have what we said.
        if nr_bytes > self._limits.pdu_bytes:
            abort = A_ABORT_RQ()
            abort.source, abort.reason_diagnostic = 0x02, 0x06  # invalid PDU parameter value
            self.send(abort.encode())
            raise OSError("a PDU longer than agreed")
        assert self.socket is not None, "it is open"
        data, came = bytearray(nr_bytes), 0
        until = time.monotonic() + self._limits.pdu_s
        with memoryview(data) as place:
            while came < nr_bytes:
                if time.monotonic() > until:
                    raise TimeoutError("a PDU that does not come to its end")
                size = self.socket.recv_into(place[came:])
                if not size:
                    break
                came += size
        del data[came:]
        return data


class _GuardedDul(DULServiceProvider):
    """A reactor that ends by closing its connection, whatever ends it."""

    has_request = False
    """Whether the peer has asked for an association."""

    def run_reactor(self) -> None:
        try:
            super().run_reactor()
        # Malformed PDUs raise anything in pynetdicom's decoding and state machine.
        except Exception:  # noqa: BLE001
            abort = A_ABORT_RQ()
            abort.source, abort.reason_diagnostic = 0x02, 0x00
            if self.socket is not None and self.socket.socket is not None:
                self.socket.send(abort.encode())
                self.socket.close()
            self.assoc.is_aborted, self.assoc.is_established = True, False
            self.assoc._kill = self._kill_thread = True

    def _read_pdu_data(self) -> None:
        """Read PDUs, as pynetdicom's own does one, as long as they are pieces of a film.

        Those go straight to the disk: decoding each, and handing it through queues and the state
        machine, took two thirds of the time of a film.
        """
        while (pdu := self._read_pdu()) is not None:
            if not self._is_piece(pdu):
                try:
                    decoded, event = self._decode_pdu(pdu)
                # What a malformed PDU raises is no closed list.
                except Exception:  # noqa: BLE001
                    self.event_queue.put("Evt19")
                    return
                self.has_request |= event == _REQUESTED
                self.event_queue.put(event)
                self._recv_pdu.put(decoded)
                return
            self._idle_timer.restart()
            if not self._may_read_on():
                return

    def _read_pdu(self) -> bytearray | None:
        """Return a PDU read whole; where there is none, its event is in the queue."""
        assert self.socket is not None, "it is connected"
        try:
            pdu = self.socket.recv(_PDU_HEAD)
            if len(pdu) == _PDU_HEAD and not 1 <= pdu[0] <= _LAST_PDU_TYPE:
                self.event_queue.put("Evt19")
                return None
            length = int.from_bytes(pdu[2:], "big")
            pdu += self.socket.recv(length)
        except OSError:
            self.event_queue.put("Evt17")
            return None
        if len(pdu) < _PDU_HEAD + length:  # it hung up
            self.event_queue.put("Evt17")
            return None
        return pdu

    def _is_piece(self, pdu: bytearray) -> bool:
        """Tell whether a PDU was a piece of a film, which is taken then."""
        if self.state_machine.current_state != _ESTABLISHED:
            return False
        with memoryview(pdu) as view:
            return cast(SpoolingDimse, self.assoc.dimse).take_fragment(view)

    def _may_read_on(self) -> bool:
        """Whether more has come, and nothing else is to be done first."""
        is_idle = self.event_queue.empty() and self.to_provider_queue.empty()
        return is_idle and not self._kill_thread and self.socket is not None and self.socket.ready


class _Association(Association):
    """An acceptor whose objects go to the disk and whose end leaves nothing behind."""

    def __init__(self, ae: ApplicationEntity, spool: Spool, limits: Limits) -> None:
        super().__init__(ae, "acceptor")
        self.dul = _GuardedDul(self)
        self.dimse = SpoolingDimse(self, spool, limits)
        self.network_timeout = ae.network_timeout  # which it hands to the reactor
        # Until it runs out, nothing ends a connection on which nobody asks for an association.
        self.dul.artim_timer = Timer(ae.acse_timeout)
        self.daemon = self.dul.daemon = True
        self.bind(evt.EVT_CONN_CLOSE, _wait_no_longer)

    def run_reactor(self) -> None:
        try:
            super().run_reactor()
        finally:
            cast(SpoolingDimse, self.dimse).give_up()
            sock = self.dul.socket
            if sock is not None and sock.socket is not None:
                sock._shutdown_socket()


def _wait_no_longer(event: evt.Event) -> None:
    """Let an association end whose peer hung up before it asked for one.

    pynetdicom's own keeps its place until the time for asking is over, 20 s.
    """
    dul = cast(_GuardedDul, event.assoc.dul)
    if not dul.has_request:
        dul.to_user_queue.put(cast(Any, None))


class _Handler(RequestHandler):
    """Makes associations of the guarded kind."""

    def _create_association(self) -> Association:
        server = cast(SpoolingServer, self.server)
        association = _Association(self.ae, server.spool, server.limits)
        association._server = server
        # By this beginning pynetdicom finds the associations of a server.
        association.name = f"AcceptorThread@{datetime.now():%Y%m%d%H%M%S}"
        client = cast(socket.socket, self.request)
        association.set_socket(_BoundedSocket(association, client, server.limits))
        acceptor = association.acceptor
        acceptor.maximum_length = self.ae.maximum_pdu_size
        acceptor.ae_title = server.ae_title
        acceptor.address_info = self.local
        acceptor.implementation_class_uid = self.ae.implementation_class_uid
        acceptor.implementation_version_name = self.ae.implementation_version_name
        acceptor.supported_contexts = list(server.contexts)
        association.requestor.address_info = self.remote
        for event, handlers in server._handlers.items():
            if isinstance(event, NotificationEvent):
                for handler in cast(Sequence[Any], handlers):
                    association.bind(event, handler[0], handler[1])
            elif handlers:
                association.bind(event, *cast(Sequence[Any], handlers))
        return association


class SpoolingServer(ThreadedAssociationServer):
    """Accepts connections, each of its own thread; none can hold up another."""

    daemon_threads = True
    spool: Spool
    limits: Limits

    def __init__(
        self,
        ae: ApplicationEntity,
        address: tuple[str, int],
        *,
        spool: Spool,
        limits: Limits,
        ssl_context: ssl.SSLContext | None,
        evt_handlers: list[Any],
    ) -> None:
        """Listen at `address`; `serve_forever` accepts. Raises OSError."""
        self.spool, self.limits = spool, limits
        super().__init__(
            ae,
            address,
            ae.ae_title,
            ae.supported_contexts,
            ssl_context,
            evt_handlers,
            _Handler,
        )
        ae._servers.append(self)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        assert self.socket is not None, "it listens"
        client, address = self.socket.accept()
        client.settimeout(self.limits.silence_s)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.ssl_context is not None:
            # The handshake comes with the first read, in the association's own thread.
            client = self.ssl_context.wrap_socket(
                client, server_side=True, do_handshake_on_connect=False
            )
        return client, address

    def verify_request(self, request: object, client_address: object) -> bool:  # noqa: ARG002
        most = self.limits.associations + _SPARE_CONNECTIONS
        return sum("AcceptorThread" in one.name for one in threading.enumerate()) < most

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: a peer that hangs up while it is accepted is its own affair."""


def stop(server: SpoolingServer, *, patience_s: float) -> None:
    """Accept nobody any more, let what is under way come to its end for a while, abort the rest."""
    until = time.monotonic() + patience_s
    server.shutdown()
    while server.active_associations and time.monotonic() < until:
        time.sleep(0.02)
    for association in server.active_associations:
        with contextlib.suppress(Exception):
            association.abort(block=False)
