"""``medaccord demo``: the story, on a chain in this process."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from medaccord.cli.ending import embedded_chain_needed
from medaccord.cli.output import JsonOption, say
from medaccord.core.errors import InvalidBundle
from medaccord.fhir import read_bundle

_WIDTH: Final = 10_000
"""Of a line in JSON, which is never broken."""


def demo(
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle",
            metavar="FILE",
            help="A FHIR R4 Bundle of one patient (JSON); an invented patient unless given.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Play the story: enrol, import, ask, grant, read, break the glass, revoke, audit."""
    data = None if bundle is None else _read(bundle)
    with embedded_chain_needed():
        from medaccord.demo import play, sample_bundle
    told = io.StringIO()
    console = Console(file=told, width=_WIDTH) if as_json else Console()
    stage = play(sample_bundle() if data is None else data, console)
    if as_json:
        blocks = stage.network.head().number
        say({"blocks": blocks, "story": told.getvalue().splitlines()}, (), as_json=True)


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        read_bundle(data)  # what is wrong with it is told before anything is started
        return data
    except OSError as error:
        raise InvalidBundle(f"{path} cannot be read: {error.strerror or error}") from error
