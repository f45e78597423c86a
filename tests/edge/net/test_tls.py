"""TLS by certificate files, with the system's openssl making them."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from edge_infer.errors import NetError
from edge_infer.net.address import NodeAddress
from edge_infer.net.echo import echo
from edge_infer.net.tls import client_context, server_context
from tests.edge.net.made_nodes import listening, needs


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Return a certificate that is its own authority, and its key."""
    certificate, key = tmp_path / "node.pem", tmp_path / "node.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
            *("ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
            *("-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@needs("openssl")
def test_a_listener_speaks_tls_with_peers_that_its_authority_signed(
    tmp_path: Path, files: tuple[Path, Path]
) -> None:
    certificate, key = files
    with listening(tmp_path, tls=(certificate, key, certificate)) as node:
        there = NodeAddress(ae_title="CXREDGE", host="127.0.0.1", port=node.port)
        with_certificate = client_context(certificate)
        with_certificate.load_cert_chain(certificate, key)
        assert echo(there, calling="A", tls=with_certificate).ok
        assert not echo(there, calling="A", tls=client_context(certificate), timeout_s=5).ok
        assert not echo(there, calling="A", timeout_s=5).ok
        assert echo(there, calling="A", tls=with_certificate).ok, "the bad ones held nothing up"


@needs("openssl")
def test_a_certificate_that_is_none_is_said(tmp_path: Path, files: tuple[Path, Path]) -> None:
    (tmp_path / "bad.pem").write_text("no certificate", encoding="utf-8")
    with pytest.raises(NetError, match="cannot be used"):
        server_context(tmp_path / "bad.pem", files[1], None)
    with pytest.raises(NetError, match="cannot be used"):
        client_context(tmp_path / "bad.pem")
    assert isinstance(server_context(*files, None), ssl.SSLContext)
