"""The root of the command line, and how its errors look."""

from __future__ import annotations

import io
import os
import resource
import signal
import sys
from typing import Annotated, Final, NoReturn

import typer

from medaccord import __version__
from medaccord.cli.ending import BAD_INPUT, FAILED, code_of, one_line, usage_told
from medaccord.cli.lazy import Lazy, LazyGroup
from medaccord.core.errors import MedaccordError

_NAME: Final = "medaccord"
_INTERRUPTED: Final = 130
"""What typer makes of Ctrl-C."""


def _lazy(place: str, told: str) -> Lazy:
    return Lazy(place=f"medaccord.cli.{place}", help=told)


COMMANDS: Final = {
    "demo": _lazy(
        "demo:demo",
        "Play the story: enrol, import, ask, grant, read, break the glass, revoke, audit.",
    ),
    "node": _lazy(
        "node:node",
        "Run a chain on this machine, chain id 1337, until Ctrl-C or SIGTERM.",
    ),
    "deploy": _lazy(
        "deploy:deploy",
        "Deploy the contracts, admit the founding organisation, and write the record.",
    ),
    "serve": _lazy(
        "serve:serve",
        "Answer over HTTP until SIGTERM or Ctrl-C, which finishes what is under way.",
    ),
    "doctor": _lazy(
        "doctor:doctor",
        "Show where each setting is from; test node, deployment, gatekeeper, store, keystore.",
    ),
    "account": _lazy(
        "account:app",
        "Encrypted keys of accounts: single ones in a keystore, a person's in a wallet.",
    ),
    "keys": _lazy(
        "key_store:app",
        "The encryption of a steward's key store: its patients' keys.",
    ),
    "records": _lazy(
        "records:app",
        "Records: import, export, erase and hold a steward's; read, point to and verify others'.",
    ),
    "org": _lazy(
        "org:app",
        "The organisations of a network, and what its members decide about them.",
    ),
    "request": _lazy(
        "request:app",
        "What an organisation asks patients for.",
    ),
    "audit": _lazy(
        "audit:app",
        "Who looked at records, when, why, and what was refused.",
    ),
    "relationship": _lazy(
        "relationship:app",
        "Which hospital keeps records for which patient: both sides.",
    ),
    "inbox": _lazy(
        "inbox:inbox",
        "Show the requests that wait for an answer, each in words made from its structure.",
    ),
    "grant": _lazy(
        "answering:grant",
        "Allow what an organisation asks for, or less; never more.",
    ),
    "deny": _lazy(
        "answering:deny",
        "Deny a request for good; whoever asked sees that.",
    ),
    "revoke": _lazy(
        "consents:revoke",
        "Take a consent back for good, or all of them; the gatekeeper obeys at once.",
    ),
    "consents": _lazy(
        "consents:consents",
        "List the consents that were given, ended ones included, as the chain has them.",
    ),
    "emergency": _lazy(
        "emergency:app",
        "Access without consent, where a patient cannot be asked.",
    ),
    "delegate": _lazy(
        "delegate:app",
        "Who else may act for an account: a parent, a carer, a program.",
    ),
    "guardians": _lazy(
        "guardians:app",
        "Guardians: whom you trust to hand an account of yours to a new phone.",
    ),
    "recover": _lazy(
        "recover:app",
        "Hand a lost account to a new phone, with the help of guardians.",
    ),
}
"""What there is, and what is said of it where all are listed, as it says it itself."""


class _Root(LazyGroup):
    table = COMMANDS


app = typer.Typer(
    cls=_Root,
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


def main() -> None:
    """Run the command line; say what went wrong in one line, whatever went wrong.

    Exits with 0, or as `medaccord.cli.ending` says.
    """
    # The memory of a command may hold keys, which a dump of it would bring to the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _check_streams()
    _hear_signals()
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


def _check_streams() -> None:
    """Refuse to do what nobody would hear of; print what a stream has no character for escaped."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  # until the process ends
    if sys.stdout is None:
        _end("standard output is closed: send it to a file, or to /dev/null", FAILED)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _hear_signals() -> None:
    """Clean up before a signal ends the command: half of a file may hold records."""

    def hear(number: int, _: object) -> None:
        _end(f"stopped by {signal.Signals(number).name}", FAILED)

    for each in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) is signal.SIG_DFL:  # nohup leaves another one
            signal.signal(each, hear)


def _end(problem: str | None, code: int) -> NoReturn:
    if problem is not None:
        typer.echo(f"{_NAME}: {one_line(problem)}", err=True)
    sys.exit(code)
