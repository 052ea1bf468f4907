"""What a command says on standard output: some lines for a person, or one JSON document.

Under ``--json`` nothing else comes there. Progress goes to standard error, and so does an error, as
one line, whatever the form.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeAlias

import typer

JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def say(document: Mapping[str, Any], lines: str | Iterable[str], *, as_json: bool) -> None:
    """Say what was done or found, once, at the end of a command.

    Args:
        document: the whole of it.
        lines: the same for a person.
        as_json: which of them to print.
    """
    if as_json:
        typer.echo(json.dumps(document))  # in ASCII, which every terminal takes for text
        return
    for line in [lines] if isinstance(lines, str) else lines:
        typer.echo(line)
