"""`cxr-desk`: options and exit code; the work is in `desk`."""

from __future__ import annotations

import ipaddress
import signal
import webbrowser
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_infer.commands.ending import INTERRUPTED, exit_when_interrupted, run_command
from edge_infer.commands.options import (
    ModelOption,
    PageLangOption,
    SiteOption,
    WorkersOption,
)
from edge_infer.commands.paths import choose_folder, require_films
from edge_infer.commands.terminal import printable, say_parts, speaker
from edge_infer.pc.language import Lang, default_language
from edge_infer.pc.machine import default_workers
from edge_infer.pc.native_code import limit_threads
from edge_infer.version import package_version

if TYPE_CHECKING:
    from edge_infer.desk.run import Front
    from edge_infer.desk.server import Entrance
    from edge_infer.flow.keep_day import DaySettings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

_SHORTEST_PASSWORD = 10
_EXTRA = {"starlette", "uvicorn", "anyio", "h11"}


@app.command()
def desk(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]",
            help="Folder to watch for films, or a list's own; default: the newest list here.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for the results; default: cxr-YYYY-MM-DD here, never inside FOLDER.",
        ),
    ] = None,
    model: ModelOption = None,
    site: SiteOption = None,
    workers: WorkersOption = None,
    include_patient: Annotated[
        bool,
        typer.Option(
            "--include-patient", help="Show name, id, birth date and accession number too."
        ),
    ] = False,
    lang: PageLangOption = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port; default: 48720, or a free one."),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the page's address and open nothing.")
    ] = False,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="This PC's own address, for a second PC; needs the next three.",
        ),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File whose first line is the password to ask for."),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TLS certificate, PEM.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key, PEM.")] = None,
) -> None:
    """Open the live day in the browser: films as they arrive, the most urgent first.

    Films are shown large, and what was done about them is kept in the list. Only this PC can reach
    the page, unless --listen asks otherwise. Research use only; not a medical device; not a
    diagnosis.

    Exit code 130: ended, the list holds every film that had arrived; 2: wrong command line; 3: no
    usable model, or the extra `desk` is missing; 6: cannot write or listen.
    """
    limit_threads()
    # A starter may have had it ignored, and "End the desk" ends it in the same way.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    entrance = _check_entrance(listen, password_file, tls_cert, tls_key)
    language = lang or default_language()
    say = speaker(language)
    with exit_when_interrupted("Ended.", language):
        from edge_infer.desk.run import Front

        front = Front(
            entrance=entrance,
            port=port,
            welcome=lambda url, root: _welcome(
                url, root, language, opens=not no_browser, is_remote=entrance is not None
            ),
            warn=lambda text: typer.echo(
                f"cxr-desk: {printable(say_parts(text, language))}", err=True
            ),
        )
        place = _choose(folder)
        settings = _settings(model, site, workers or default_workers(), include_patient, language)
        _run(place, out, settings, front)
    typer.echo(say("Ended: the list holds every film that had arrived."), err=True)
    raise typer.Exit(INTERRUPTED)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    run_command("cxr-desk", app, arguments, extra_modules=_EXTRA, extra="desk")


def _choose(folder: Path | None) -> Path:
    if folder is None:
        from edge_infer.desk.run import find_list

        folder = find_list(Path())
        if folder is None:
            raise typer.BadParameter(
                "there is no list here: name the folder where your films arrive.",
                param_hint="FOLDER",
            )
    if not folder.is_dir():
        raise typer.BadParameter(
            f"'{printable(str(folder))}' is no folder: check the spelling, and that the drive is "
            "connected.",
            param_hint="FOLDER",
        )
    return folder


def _settings(
    model: Path | None, site: Path | None, workers: int, include_patient: bool, lang: Lang
) -> DaySettings:
    from edge_infer.flow.keep_day import DaySettings
    from edge_infer.flow.screen import open_model
    from edge_infer.model.bundled import bundled_model
    from edge_infer.model.model_file import load_model_file
    from edge_infer.worklist.site import load_site

    file = load_model_file(model or bundled_model())
    clinic = load_site(site, file.card, file.sha256) if site is not None else None
    return DaySettings(
        model=open_model(file),
        card=clinic.apply(file.card) if clinic else file.card,
        site=clinic,
        package_version=package_version(),
        workers=workers,
        include_patient=include_patient,
        lang=lang,
    )


def _run(place: Path, out: Path | None, settings: DaySettings, front: Front) -> None:
    from edge_infer.desk.run import show_list, watch_at_desk
    from edge_infer.flow.open_list import is_list, open_list
    from edge_infer.flow.write_lists import check_writable
    from edge_infer.workers.pool import start_workers

    if is_list(place):
        show_list(open_list(place, settings), front)
        return
    results = choose_folder([place], out)
    require_films([place], may_be_empty=True)
    check_writable(results)
    with closing(start_workers(1)) as crew:
        watch_at_desk(place, results, settings, front, is_dated=out is None, crew=crew)


def _check_entrance(
    listen: str | None, password_file: Path | None, tls_cert: Path | None, tls_key: Path | None
) -> Entrance | None:
    """Refuse to let a second PC in without a password and encryption."""
    given = {"--password-file": password_file, "--tls-cert": tls_cert, "--tls-key": tls_key}
    if listen is None:
        for name, path in given.items():
            if path is not None:
                raise typer.BadParameter("it is for --listen only.", param_hint=name)
        return None
    try:
        address = ipaddress.ip_address(listen)
    except ValueError:
        address = None
    if address is None or address.is_unspecified:
        raise typer.BadParameter(
            f"'{printable(listen)}' is not the address of this PC, such as 192.168.1.5.",
            param_hint="--listen",
        )
    for name, path in given.items():
        if path is None or not path.is_file():
            raise typer.BadParameter(
                "a second PC is let in only with a password and TLS: name the files with "
                "--password-file, --tls-cert and --tls-key.",
                param_hint=name,
            )
    assert password_file is not None and tls_cert is not None and tls_key is not None
    password = _read_password(password_file)
    _require_tls(tls_cert, tls_key)
    from edge_infer.desk.server import Entrance

    return Entrance(address=str(address), password=password, certificate=tls_cert, key=tls_key)


def _require_tls(certificate: Path, key: Path) -> None:
    import ssl

    try:
        # An empty password: a key that has one would be asked for on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, lambda: "")
    except (OSError, ValueError) as error:
        raise typer.BadParameter(
            "it and the file of --tls-key are no certificate and its key (PEM, without a "
            "password).",
            param_hint="--tls-cert",
        ) from error


def _read_password(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    password = lines[0].strip() if lines else ""
    if len(password) < _SHORTEST_PASSWORD:
        raise typer.BadParameter(
            f"its first line must be a password of {_SHORTEST_PASSWORD} characters or more.",
            param_hint="--password-file",
        )
    return password


def _welcome(url: str, root: str, lang: Lang, *, opens: bool, is_remote: bool) -> None:
    say = speaker(lang)
    typer.echo(say(f"The desk is open: {url}"))
    if is_remote:
        typer.echo(say(f"From the second PC, with the password: {root}"))
    typer.echo(say("Press Control-C here to end it. Research use only: not a diagnosis."))
    if opens and not webbrowser.open(url):
        typer.echo(f"cxr-desk: {say('No browser opened: open the address above.')}", err=True)


if __name__ == "__main__":
    main()
