"""Asking a person before something is signed."""

from __future__ import annotations

import sys

import typer

from medaccord.core.errors import InvalidInput


def confirm(sentence: str, question: str, *, yes: bool) -> None:
    """Show what will be done and ask, on standard error; or go on where that was answered already.

    Args:
        sentence: what will be done.
        question: what a person answers with yes or no.
        yes: whether the command was told so, with --yes.

    Raises:
        InvalidInput: there is no terminal to ask on, and no --yes.
        Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidInput(
            f"there is no terminal to ask on: say --yes where you mean it: {sentence}"
        )
    typer.echo(f"{sentence}\n{question} [y/N]: ", err=True, nl=False)
    # Not by `typer.confirm`, which leaves a space on standard output.
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise typer.Abort
