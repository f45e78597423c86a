"""How every command ends: errors of ours become one sentence and an exit code, here only.

0 done, whatever was found; 1 a bug; 2 the command line; 3 cannot start; 4 finished with gaps, or
rejected; 5 nothing to work on; 6 cannot write; 130 interrupted. Which error has which code stands
with the errors.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Final

import typer

from edge_infer.commands.terminal import print_any_name, printable, speaker
from edge_infer.errors import CxrError
from edge_infer.pc.language import Lang, default_language

CANNOT_START: Final = 3
INTERRUPTED: Final = 130


def run_command(
    name: str,
    app: typer.Typer,
    arguments: Sequence[str] | None = None,
    *,
    extra: str = "train",
    extra_modules: Collection[str] = (),
) -> None:
    """Run a command and exit; `extra_modules` are those that only this extra installs."""
    print_any_name()
    try:
        app(args=arguments)
    except CxrError as error:
        _say(name, speaker(_language(arguments))(str(error)))
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in extra_modules:
            raise
        _say(name, f'{error.name} is missing: pip install "cxr-edge[{extra}]"')
        sys.exit(CANNOT_START)


@contextmanager
def exit_when_interrupted(sentence: str, lang: Lang = Lang.EN) -> Iterator[None]:
    """End with 130 and a sentence wherever Control-C comes; older Typers would end with 1."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"\n{speaker(lang)(sentence)}", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _language(arguments: Sequence[str] | None) -> Lang:
    """Return what `--lang` says, for an error that ends a command before or after its options."""
    given = [*(sys.argv[1:] if arguments is None else arguments)]
    after = (value for option, value in pairwise([*given, ""]) if option == "--lang")
    joined = (word.partition("=")[2] for word in given if word.startswith("--lang="))
    named = next((word for word in (*after, *joined) if word in {*Lang}), None)
    return Lang(named) if named is not None else default_language()


def _say(name: str, sentence: str) -> None:
    # Under torchrun every process finds the same fault: one of them says it.
    if os.environ.get("RANK", "0") == "0":
        typer.echo(f"{name}: {printable(sentence)}", err=True)
