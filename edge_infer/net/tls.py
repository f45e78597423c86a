"""TLS by certificate files, as both sides of a connection need it."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from edge_infer.errors import NetError


def server_context(certificate: Path, key: Path, authority: Path | None) -> ssl.SSLContext:
    """Return what a listener needs; with an `authority` only peers that it signed may connect.

    Raises NetError where a file is not as needed.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, certificate, key)
    try:
        if authority is not None:
            context.load_verify_locations(authority)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # ssl.SSLError is one
        raise NetError(
            f"The authority's certificate {authority} cannot be used: {error}."
        ) from error
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        raise NetError(f"The certificate or key cannot be used: {error}.") from error


def client_context(authority: Path | None, own: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """Return what a caller needs: servers must be signed by `authority`, or by one of this PC's.

    `own` are certificate and key to show where a server asks who calls. Raises NetError where a
    file is not as needed.
    """
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise NetError(
            f"The authority's certificate {authority} cannot be used: {error}."
        ) from error
    if own is not None:
        _load(context, *own)
    return context


def explain_handshake(host: str, port: int, context: ssl.SSLContext, timeout_s: float) -> str:
    """Return why a TLS connection does not come about; nothing where it does."""
    try:
        with (
            socket.create_connection((host, port), timeout=timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except OSError as error:
        return error.strerror or type(error).__name__
