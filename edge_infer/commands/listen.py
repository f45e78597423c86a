"""`cxr-listen`: options, and how it begins and ends; the node is in `net`, the day in `flow`.

Nothing heavy is imported at the top, so that `--help` answers at once.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from edge_infer.commands.day_settings import load_day_settings
from edge_infer.commands.ending import CANNOT_START, INTERRUPTED, exit_when_interrupted, run_command
from edge_infer.commands.options import (
    DicomOutOption,
    IncludePatientOption,
    KeepDaysOption,
    ModelOption,
    NoHeatmapOption,
    PageLangOption,
    QuietOption,
    SendTlsCaOption,
    SendTlsCertOption,
    SendTlsKeyOption,
    SendToOption,
    SiteOption,
    WorkersOption,
    version_option,
)
from edge_infer.commands.sender import RESULTS_FOLDER, Sending, following, node_tls, require_ready
from edge_infer.commands.terminal import Progress, WatchLine, summarise
from edge_infer.errors import ReportError
from edge_infer.pc.native_code import limit_threads

if TYPE_CHECKING:
    from types import FrameType

    from edge_infer.flow.keep_day import DaySettings, WrittenDay
    from edge_infer.net.spool import Spool

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
_MB = 2**20
_REMOVE_EVERY_S = 3600.0
_LOOK_AGAIN_S = 5.0


@app.command()
def listen(
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the films received and the days' lists."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="TCP port.")] = 11112,
    ae_title: Annotated[
        str, typer.Option(metavar="TITLE", help="AE title of this node.")
    ] = "CXREDGE",
    address: Annotated[
        str,
        typer.Option(
            metavar="IP",
            help="Address to listen at; default: this PC only. 0.0.0.0: all, with --peers.",
        ),
    ] = "127.0.0.1",
    peers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Who may send, from where: see docs/pacs.md."),
    ] = None,
    model: ModelOption = None,
    site: SiteOption = None,
    workers: WorkersOption = None,
    include_patient: IncludePatientOption = False,
    lang: PageLangOption = None,
    keep_days: KeepDaysOption = 30,
    max_associations: Annotated[
        int, typer.Option(min=1, max=100, metavar="N", help="Peers that may send at a time.")
    ] = 10,
    max_object_mb: Annotated[
        int, typer.Option(min=1, metavar="MB", help="Larger objects are refused.")
    ] = 512,
    min_free_mb: Annotated[
        int, typer.Option(min=1, metavar="MB", help="Free disk below which films are refused.")
    ] = 1024,
    dicom_out: DicomOutOption = None,
    send_to: SendToOption = None,
    send_tls_ca: SendTlsCaOption = None,
    send_tls_cert: SendTlsCertOption = None,
    send_tls_key: SendTlsKeyOption = None,
    no_heatmap: NoHeatmapOption = False,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate (PEM): only TLS is spoken.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its private key (PEM).")
    ] = None,
    tls_ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Authority (PEM) that must have signed the peers."),
    ] = None,
    check: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Ask another node for an echo instead; TITLE@ before it."
        ),
    ] = None,
    quiet: QuietOption = False,
    version: Annotated[bool, version_option("cxr-listen")] = False,  # noqa: ARG001 - its callback works
) -> None:
    """Take chest X-rays from X-ray machines or a PACS (DICOM C-STORE) and screen them at once.

    A film is acknowledged when it is safely on the disk, in DIR/spool; each day's list is in
    DIR/cxr-YYYY-MM-DD, as cxr-infer --watch writes it. Research use only; not a medical device;
    not a diagnosis. It listens on this PC only, unless --address says otherwise.

    Exit code 0: ended by SIGTERM, or the echo was answered; 130: by Control-C; 2: wrong command
    line; 3: cannot start, or no echo; 6: cannot write.
    """
    limit_threads()
    title = _title(ae_title)
    with exit_when_interrupted("Interrupted: what was received is kept."):
        if check is not None:
            _check(check, title, tls_ca, tls_cert, tls_key)
        if out is None:
            raise typer.BadParameter("name a folder for films and lists.", param_hint="--out")
        tls = _tls_files(tls_cert, tls_key, tls_ca)
        _require_peers(address, peers)
        from edge_infer.net.limits import Limits
        from edge_infer.net.listener import Listener
        from edge_infer.net.peers import load_peers
        from edge_infer.net.spool import Spool
        from edge_infer.net.support_log import SupportLog

        warnings.simplefilter(
            "ignore"
        )  # pydicom's quote values of objects, which may name somebody
        known = load_peers(peers) if peers is not None else None
        sending = None
        if dicom_out is not None or send_to:
            sending = Sending(
                folder=dicom_out or out / RESULTS_FOLDER,
                nodes=send_to or (),
                node_tls=node_tls(send_tls_ca, send_tls_cert, send_tls_key),
                ae_title=title,
                with_heat=not no_heatmap,
                model=model,
                site=site,
                min_free_mb=min_free_mb,
                keep_days=keep_days if dicom_out is None else None,
            )
            require_ready(sending)
        settings = load_day_settings(
            model, site, workers=workers, include_patient=include_patient, lang=lang
        )
        limits = Limits(
            associations=max_associations,
            object_bytes=max_object_mb * _MB,
            free_bytes=min_free_mb * _MB,
        )
        with _ended_by_signals() as is_term, ExitStack() as stack:
            spool = Spool(out / "spool")
            log = SupportLog(out)
            stack.callback(log.close)
            stack.enter_context(_removing_older(spool, keep_days))
            listener = Listener(
                spool,
                log,
                ae_title=title,
                address=(address, port),
                peers=known,
                limits=limits,
                tls=tls,
            )
            stack.enter_context(listener)
            typer.echo(f"{title} listens at {address}, port {listener.port}.", err=True)
            folder = out / f"cxr-{datetime.now():%Y-%m-%d}"
            stack.enter_context(following(folder, sending, is_dated=True))
            written = _watch_on(
                lambda: _watch(spool.films, folder, settings, is_quiet=quiet),
                is_full=lambda: spool.free_bytes() < limits.free_bytes,
            )
        for one in written if not quiet else ():
            typer.echo("\n".join(summarise(one.day, one.folder, one.csv)))
        typer.echo("Stopped: every film received is on the disk.", err=True)
        raise typer.Exit(0 if is_term.is_set() else INTERRUPTED)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    run_command(
        "cxr-listen", app, arguments, extra="dicom", extra_modules=("pynetdicom", "highdicom")
    )


@contextmanager
def _ended_by_signals() -> Iterator[threading.Event]:
    """Let SIGTERM end the command as Control-C does; the event tells that it was SIGTERM.

    A second one does not interrupt the ending.
    """
    by_term = threading.Event()

    def end(number: int, _: FrameType | None) -> None:
        if number == signal.SIGTERM:
            by_term.set()
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {one: signal.signal(one, end) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield by_term
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def _removing_older(spool: Spool, days: int) -> Iterator[None]:
    """Remove films that came more than `days` days ago, now and every hour."""
    ended = threading.Event()

    def remove() -> None:
        while not ended.wait(_REMOVE_EVERY_S):
            spool.remove_older(days)

    spool.remove_older(days)
    thread = threading.Thread(target=remove, name="keep-days", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _title(text: str) -> str:
    from edge_infer.net.peers import check_ae_title

    try:
        return check_ae_title(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--ae-title") from error


def _tls_files(
    certificate: Path | None, key: Path | None, authority: Path | None
) -> tuple[Path, Path, Path | None] | None:
    if certificate is None and key is None and authority is None:
        return None
    if certificate is None or key is None:
        raise typer.BadParameter("TLS needs a certificate and its key.", param_hint="--tls-cert")
    return certificate, key, authority


def _require_peers(address: str, peers: Path | None) -> None:
    """Refuse to listen to a network without knowing who may send."""
    try:
        is_here = ip_address(address).is_loopback
    except ValueError as error:
        raise typer.BadParameter(
            f"'{address}' is no IP address of this PC.", param_hint="--address"
        ) from error
    if not is_here and peers is None:
        raise typer.BadParameter(
            "other PCs may only send with a peers file: name one.", param_hint="--peers"
        )


def _check(
    node: str, title: str, authority: Path | None, certificate: Path | None, key: Path | None
) -> NoReturn:
    from edge_infer.net.address import parse_node
    from edge_infer.net.echo import echo
    from edge_infer.net.tls import client_context

    try:
        address = parse_node(node, needs_title=False)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--check") from error
    own = (certificate, key) if certificate is not None and key is not None else None
    tls = client_context(authority, own) if authority is not None else None
    result = echo(address, calling=title, tls=tls)
    typer.echo(result.sentence)
    raise typer.Exit(0 if result.ok else CANNOT_START)


def _watch_on(
    watch: Callable[[], list[WrittenDay]], *, is_full: Callable[[], bool]
) -> list[WrittenDay]:
    """Watch, and again where the disk was too full for the lists: peers are told so meanwhile.

    Films are refused before that, but other programs fill the disk too. Raises ReportError where
    something else is wrong.
    """
    while True:
        try:
            return watch()
        except ReportError as error:
            if not is_full():
                raise
            typer.echo(f"cxr-listen: {error} Trying again until there is room.", err=True)
        try:
            while is_full():
                time.sleep(_LOOK_AGAIN_S)
        except KeyboardInterrupt:
            return []


def _watch(films: Path, folder: Path, settings: DaySettings, *, is_quiet: bool) -> list[WrittenDay]:
    from edge_infer.flow.watch import Clock, Watch
    from edge_infer.workers.pool import start_workers

    with Progress(0, is_shown=not is_quiet and sys.stderr.isatty()) as line:
        line_of_watch = WatchLine(line, is_quiet=is_quiet)
        return Watch(
            [films],
            folder,
            settings,
            is_dated=True,
            say=line_of_watch.say,
            warn=line_of_watch.warn,
            clock=Clock(),
            start_crew=start_workers,
        ).run()


if __name__ == "__main__":
    main()
