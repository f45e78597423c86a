"""`python -m edge_infer.commands.deliver`: the process that `sender` starts; see there."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_infer.commands.ending import INTERRUPTED, run_command
from edge_infer.commands.sender import NodeTls, node_tls
from edge_infer.errors import CxrError
from edge_infer.pc.native_code import limit_threads
from edge_infer.version import package_version

if TYPE_CHECKING:
    from edge_infer.net.delivery import Delivery, DeliverySettings
    from edge_infer.net.targets import Target

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
_STEP_EVERY_S = 2.0
_PATIENCE_S = 30.0
_REMOVE_EVERY_S = 3600.0
_WRONG_COMMAND_LINE, _HAS_GAPS = 2, 4


@app.command()
def deliver(
    dicom_out: Annotated[Path, typer.Option(metavar="DIR", help="Where results go.")],
    days: Annotated[
        list[Path] | None, typer.Argument(metavar="DAY", help="Folders of kept days.")
    ] = None,
    send_to: Annotated[
        list[str] | None, typer.Option(metavar="AE@HOST:PORT", help="A node to send to.")
    ] = None,
    send_tls_ca: Annotated[Path | None, typer.Option(metavar="FILE", help="Of the nodes.")] = None,
    send_tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="Ours.")] = None,
    send_tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key.")] = None,
    stow: Annotated[
        str | None, typer.Option(metavar="URL", help="A DICOMweb archive to send to.")
    ] = None,
    credentials: Annotated[Path | None, typer.Option(metavar="FILE", help="For it.")] = None,
    tls_ca: Annotated[Path | None, typer.Option(metavar="FILE", help="Authority.")] = None,
    ae_title: Annotated[str, typer.Option(metavar="TITLE", help="Our own.")] = "CXREDGE",
    model: Annotated[Path | None, typer.Option(metavar="FILE", help="Of the days.")] = None,
    site: Annotated[Path | None, typer.Option(metavar="FILE", help="Of the days.")] = None,
    full_decode: Annotated[bool, typer.Option("--full-decode", help="As the days.")] = False,
    no_gate: Annotated[bool, typer.Option("--no-gate", help="As the days.")] = False,
    no_heatmap: Annotated[bool, typer.Option("--no-heatmap", help="Plain film.")] = False,
    min_free_mb: Annotated[int, typer.Option(metavar="MB", help="Below, none are made.")] = 0,
    keep_days: Annotated[int | None, typer.Option(metavar="N", help="Older go.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Until told on stdin.")] = False,
    ready: Annotated[bool, typer.Option("--ready", help="Only say whether it could.")] = False,
    dated: Annotated[bool, typer.Option("--dated", help="Later siblings too.")] = False,
) -> None:
    """Make the results of days as DICOM, and send them."""
    limit_threads()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer; it closes our stdin
    from edge_infer.net.delivery import Delivery, deliver_all

    settings = replace(
        _load(model, site),
        with_heat=not no_heatmap,
        full_decode=full_decode,
        has_gate=not no_gate,
        free_bytes=min_free_mb * 2**20,
    )
    secret = node_tls(send_tls_ca, send_tls_cert, send_tls_key)
    targets = _targets(send_to or (), ae_title, secret)
    if stow is not None:
        from edge_infer.net.dicomweb import ArchiveTarget, open_archive

        targets.append(ArchiveTarget(archive=open_archive(stow, credentials, tls_ca)))
    with closing(Delivery(dicom_out, settings, targets)) as delivery:
        if ready:
            raise typer.Exit
        if follow and days:
            _follow(delivery, days[0], keep_days, is_dated=dated)
        else:
            _when_told_to_end(lambda: None)
            deliver_all(delivery, days or [], patience_s=_PATIENCE_S)
            _remove_older(delivery, keep_days)
        raise typer.Exit(_tell(delivery))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    run_command(
        "cxr-edge", app, arguments, extra="dicom", extra_modules=("pynetdicom", "highdicom")
    )


def _load(model: Path | None, site: Path | None) -> DeliverySettings:
    from edge_infer.model.bundled import bundled_model
    from edge_infer.model.model_file import load_model_file
    from edge_infer.net.delivery import DeliverySettings
    from edge_infer.worklist.site import load_site

    file = load_model_file(model or bundled_model())
    clinic = load_site(site, file.card, file.sha256) if site is not None else None
    return DeliverySettings(
        model=file,
        card=clinic.apply(file.card) if clinic else file.card,
        site_id=clinic.site_id if clinic else None,
        package_version=package_version(),
    )


def _targets(nodes: Sequence[str], ae_title: str, files: NodeTls | None) -> list[Target]:
    from edge_infer.net.address import parse_node
    from edge_infer.net.targets import NodeTarget
    from edge_infer.net.tls import client_context

    tls = client_context(files.authority, files.own) if files is not None else None
    try:
        return [
            NodeTarget(node=parse_node(node, needs_title=True), calling=ae_title, tls=tls)
            for node in nodes
        ]
    except ValueError as error:
        typer.echo(f"cxr-edge: --send-to: {error}", err=True)
        raise typer.Exit(_WRONG_COMMAND_LINE) from error


def _follow(delivery: Delivery, first: Path, keep_days: int | None, *, is_dated: bool) -> None:
    """Go on until the parent says that it ends, and once more then."""
    ended = threading.Event()
    _when_told_to_end(ended.set)
    told, next_removal = "", time.monotonic()
    while not ended.wait(_STEP_EVERY_S):
        try:
            if time.monotonic() >= next_removal:
                next_removal += _REMOVE_EVERY_S
                _remove_older(delivery, keep_days)
            delivery.step(_days(first, is_dated=is_dated))
            told = ""
        except CxrError as error:  # a full disk, a folder that is gone for a while: tried again
            if str(error) != told:
                told = str(error)
                typer.echo(f"cxr-edge: {told}", err=True)
    delivery.step(_days(first, is_dated=is_dated), is_patient=False)


def _days(first: Path, *, is_dated: bool) -> list[Path]:
    if not is_dated:
        return [first]
    return sorted(one for one in first.parent.glob("cxr-????-??-??") if one.name >= first.name)


def _remove_older(delivery: Delivery, keep_days: int | None) -> None:
    if keep_days is not None:
        delivery.remove_older(keep_days)


def _when_told_to_end(act: Callable[[], object]) -> None:
    """Act once the parent says so on our standard input; end where it closes without a word."""

    def wait() -> None:
        # Not `sys.stdin`, whose lock a thread that waits would hold at our own end.
        if not os.read(0, 4096):
            os._exit(INTERRUPTED)
        act()

    threading.Thread(target=wait, daemon=True).start()


def _tell(delivery: Delivery) -> int:
    is_done = True
    for name, counts in delivery.counts().items():
        if counts.waiting or counts.refused:
            is_done = False
            typer.echo(
                f"cxr-edge: {counts.waiting} results for {name} wait, {counts.refused} were "
                "refused; what waits is sent by the next run. dicom.log beside them says why.",
                err=True,
            )
    return 0 if is_done else _HAS_GAPS


if __name__ == "__main__":
    main()
