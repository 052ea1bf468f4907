"""How a command is given a passphrase: by a file, by a descriptor, or on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from medaccord.core.errors import InvalidInput
from medaccord.keys import Passphrase

FileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="One line with the passphrase; the file is yours and closed to others (chmod 600).",
    ),
]
DescriptorOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--passphrase-fd",
        metavar="NUMBER",
        help="Open file descriptor to read the passphrase from, one line.",
    ),
]
NewFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--new-passphrase-file",
        metavar="FILE",
        help="The same for the new passphrase; --passphrase-fd reads it from a second line.",
    ),
]


def passphrase(
    label: str, *, file: Path | None, descriptor: int | None, new: bool = False
) -> Passphrase:
    """The passphrase that a command was given, asked for on the terminal where it was given none.

    Args:
        label: what it opens, for the question.
        file: see `FileOption`.
        descriptor: see `DescriptorOption`; it comes before a file of the settings.
        new: whether it is to be chosen, and so is asked for twice.

    Raises:
        InvalidInput: it cannot be read, or there is no terminal to ask on.
    """
    if descriptor is not None:
        return Passphrase.from_descriptor(descriptor)
    if file is not None:
        return Passphrase.from_file(file)
    return Passphrase.prompt(label, new=new)


def refuse_both(file: Path | None, descriptor: int | None) -> None:
    """Refuse two passphrases for one.

    Raises:
        InvalidInput: both options were given.
    """
    if file is not None and descriptor is not None:
        raise InvalidInput("give either --passphrase-file or --passphrase-fd, not both")
