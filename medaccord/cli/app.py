"""The root of the command line, and how its errors look."""

from __future__ import annotations

import resource
import sys
from typing import Annotated

import typer

from medaccord import __version__
from medaccord.cli import account, demo, key_store, records, serve
from medaccord.cli.ending import FAILED, code_of, one_line
from medaccord.core.errors import MedaccordError

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
app.command("serve")(serve.serve)
app.add_typer(account.app, name="account")
app.add_typer(key_store.app, name="keys")
app.add_typer(records.app, name="records")


def main() -> None:
    """Run the command line; say what went wrong in one line, whatever went wrong.

    Exits with 0, or as `medaccord.cli.ending` says.
    """
    # The memory of a command may hold keys, which a dump of it would bring to the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        app()
    except MedaccordError as error:
        typer.echo(f"medaccord: {one_line(str(error))}", err=True)
        sys.exit(code_of(error))
    except OSError as error:  # no space, no temporary folder, no free port
        typer.echo(f"medaccord: {one_line(str(error))}", err=True)
        sys.exit(FAILED)
