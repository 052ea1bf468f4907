"""The root of the command line, and how its errors look."""

from __future__ import annotations

import resource
import sys
from typing import Annotated

import typer

from medaccord import __version__
from medaccord.cli import account, demo, key_store, records
from medaccord.core.errors import InvalidInput, MedaccordError

BAD_INPUT = 2
"""Exit code where something handed in is not what it must be."""

FAILED = 1
"""Exit code where anything else went wrong."""

_LONGEST = 500


app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Patients decide who reads their medical records; hospitals keep them.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"medaccord {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Options of every command."""


app.command("demo")(demo.demo)
app.add_typer(account.app, name="account")
app.add_typer(key_store.app, name="keys")
app.add_typer(records.app, name="records")


def main() -> None:
    """Run the command line; say what went wrong in one line, whatever went wrong.

    Exits with 0, with `BAD_INPUT` or with `FAILED`.
    """
    # The memory of a command may hold keys, which a dump of it would bring to the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        app()
    except MedaccordError as error:
        typer.echo(f"medaccord: {one_line(str(error))}", err=True)
        sys.exit(BAD_INPUT if isinstance(error, InvalidInput) else FAILED)
    except OSError as error:  # no space, no temporary folder, no free port
        typer.echo(f"medaccord: {one_line(str(error))}", err=True)
        sys.exit(FAILED)


def one_line(text: str) -> str:
    """Text for a terminal: what cannot be printed is shown as its escape, what is long is cut.

    An error may quote the file it is about, and files may hold anything.
    """
    shown = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
