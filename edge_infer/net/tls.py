"""TLS by certificate files, as both sides of a connection need it."""

from __future__ import annotations

import ssl
from pathlib import Path

from edge_infer.errors import NetError


def server_context(certificate: Path, key: Path, authority: Path | None) -> ssl.SSLContext:
    """Return what a listener needs; with an `authority` only peers that it signed may connect.

    Raises NetError where a file is not as needed.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
        if authority is not None:
            context.load_verify_locations(authority)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # ssl.SSLError is one
        raise NetError(f"The certificate or key cannot be used: {error}.") from error
    return context


def client_context(authority: Path | None) -> ssl.SSLContext:
    """Return what a caller needs: servers must be signed by `authority`, or by one of this PC's.

    Raises NetError where the file is not as needed.
    """
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise NetError(
            f"The authority's certificate {authority} cannot be used: {error}."
        ) from error
