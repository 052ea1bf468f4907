"""``medaccord demo``: the story, on a chain in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from medaccord.core.errors import InvalidBundle, MedaccordError
from medaccord.fhir import read_bundle


def demo(
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle",
            metavar="FILE",
            help="A FHIR R4 Bundle of one patient (JSON); an invented patient unless given.",
        ),
    ] = None,
) -> None:
    """Play the story: enrol, import, ask, grant, read, break the glass, revoke, audit."""
    data = None if bundle is None else _read(bundle)
    try:
        from medaccord.demo import play, sample_bundle
    except ImportError as error:
        if "medaccord[embedded]" not in str(error):
            raise
        raise MedaccordError(str(error)) from error
    play(sample_bundle() if data is None else data, Console())


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        read_bundle(data)  # what is wrong with it is told before anything is started
        return data
    except OSError as error:
        raise InvalidBundle(f"{path} cannot be read: {error.strerror or error}") from error
