"""Connections that are closed for sure."""

from __future__ import annotations

import contextlib
import socket
from functools import cache

from pynetdicom.transport import AssociationSocket


@cache
def close_sockets_for_sure() -> None:
    """Have pynetdicom close every socket that it gives up.

    Its own `_shutdown_socket` (3.0) leaves one open whose peer has hung up or was never reached:
    shutting it down fails, and closing it comes after that. Those that ask for an association call
    this first.
    """
    AssociationSocket._shutdown_socket = _close  # type: ignore[method-assign]


def _close(self: AssociationSocket) -> None:
    if self.socket is not None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
