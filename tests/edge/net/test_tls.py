"""TLS by certificate files, with the system's openssl making them."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from edge_infer.errors import NetError
from edge_infer.net.address import NodeAddress
from edge_infer.net.echo import echo
from edge_infer.net.services import CAPTURE_CLASS
from edge_infer.net.targets import Answer, Sending
from edge_infer.net.tls import client_context, server_context
from tests.edge.net.made_nodes import film, listening, needs
from tests.edge.net.test_delivery import archive, node_at


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
        assert not echo(there, calling="A", tls=client_context(certificate), timeout_s=2).ok
        assert not echo(there, calling="A", timeout_s=2).ok
        assert echo(there, calling="A", tls=with_certificate).ok, "the bad ones held nothing up"


# Where TLS does not come about, pynetdicom 3.0 leaves its socket to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@needs("openssl")
def test_results_are_sent_by_tls_and_by_nothing_less(
    tmp_path: Path, files: tuple[Path, Path]
) -> None:
    certificate, key = files
    result = tmp_path / "one-picture.dcm"
    result.write_bytes(film(1, SOPClassUID=CAPTURE_CLASS))
    with archive([], server_context(certificate, key, certificate)) as (port, taken):

        def send(tls: ssl.SSLContext | None) -> Sending:
            (sending,) = replace(node_at(port), tls=tls).send([result])
            return sending

        assert send(client_context(certificate, (certificate, key))).answer is Answer.TAKEN
        plain, stranger = send(None), send(client_context(None, (certificate, key)))
        assert plain.answer is stranger.answer is Answer.NOT_NOW and len(taken) == 1
    assert "self" in stranger.said and "by TLS" in stranger.said, "it says what is wrong with it"


@needs("openssl")
def test_a_certificate_that_is_none_is_said(tmp_path: Path, files: tuple[Path, Path]) -> None:
    (tmp_path / "bad.pem").write_text("no certificate", encoding="utf-8")
    with pytest.raises(NetError, match="cannot be used"):
        server_context(tmp_path / "bad.pem", files[1], None)
    with pytest.raises(NetError, match="cannot be used"):
        client_context(tmp_path / "bad.pem")
    assert isinstance(server_context(*files, None), ssl.SSLContext)
