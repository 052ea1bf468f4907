"""The root of the command line, and how its errors look."""

from __future__ import annotations

import os
import resource
import sys
from typing import Annotated, Final, NoReturn

import typer

from medaccord import __version__
from medaccord.cli import (
    account,
    answering,
    audit,
    consents,
    delegate,
    demo,
    deploy,
    doctor,
    emergency,
    guardians,
    inbox,
    key_store,
    node,
    org,
    records,
    recover,
    relationship,
    request,
    serve,
)
from medaccord.cli.ending import BAD_INPUT, FAILED, code_of, one_line, usage_told
from medaccord.core.errors import MedaccordError

_NAME: Final = "medaccord"
_INTERRUPTED: Final = 130
"""What typer makes of Ctrl-C."""

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
app.command("node")(node.node)
app.command("deploy")(deploy.deploy)
app.command("serve")(serve.serve)
app.command("doctor")(doctor.doctor)
app.add_typer(account.app, name="account")
app.add_typer(key_store.app, name="keys")
app.add_typer(records.app, name="records")
app.add_typer(org.app, name="org")
app.add_typer(request.app, name="request")
app.add_typer(audit.app, name="audit")
app.add_typer(relationship.app, name="relationship")
app.command("inbox")(inbox.inbox)
app.command("grant")(answering.grant)
app.command("deny")(answering.deny)
app.command("revoke")(consents.revoke)
app.command("consents")(consents.consents)
app.add_typer(emergency.app, name="emergency")
app.add_typer(delegate.app, name="delegate")
app.add_typer(guardians.app, name="guardians")
app.add_typer(recover.app, name="recover")


def main() -> None:
    """Run the command line; say what went wrong in one line, whatever went wrong.

    Exits with 0, or as `medaccord.cli.ending` says.
    """
    # The memory of a command may hold keys, which a dump of it would bring to the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        code = app(prog_name=_NAME, standalone_mode=False)
    except typer.TyperException as error:
        _end(usage_told(error), BAD_INPUT)
    except typer.Abort:
        _end("stopped: the question was not answered with yes", FAILED)
    except MedaccordError as error:
        _end(str(error), code_of(error))
    except BrokenPipeError:
        # Whoever read the output has enough; what Python would say of it at the end helps nobody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except OSError as error:  # no space, no temporary folder, no free port
        _end(str(error), FAILED)
    if code == _INTERRUPTED:
        _end("stopped by Ctrl-C", FAILED)
    sys.exit(code)


def _end(problem: str | None, code: int) -> NoReturn:
    if problem is not None:
        typer.echo(f"{_NAME}: {one_line(problem)}", err=True)
    sys.exit(code)
