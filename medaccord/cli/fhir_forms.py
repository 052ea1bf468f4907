"""FHIR on the command line: resources that are printed, and a Consent that is handed in."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from medaccord.chain.deployment import Contracts
from medaccord.cli.output import say
from medaccord.core.canonical import document_bytes
from medaccord.core.errors import InvalidInput
from medaccord.fhir import collection
from medaccord.fhir.naming import Element

__all__ = ["ConsentFile", "Form", "FormOption", "in_place_of", "say_bundle", "say_resource"]


class Form(StrEnum):
    """How a command prints what it found, where it is not to be as usual."""

    FHIR = "fhir"


FormOption: TypeAlias = Annotated[
    Form | None, typer.Option("--form", help="Print FHIR R4 instead: one JSON document.")
]
ConsentFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--consent", metavar="FILE", help="A FHIR Consent that says it all, instead."),
]


def say_resource(resource: Element, *, as_json: bool) -> None:
    """Print one resource."""
    say(resource, document_bytes(resource).decode(), as_json=as_json)


def say_bundle(resources: Iterable[Element], contracts: Contracts, *, as_json: bool) -> None:
    """Print resources in one Bundle, made now by the clock of the chain."""
    say_resource(collection(resources, contracts.network.clock()), as_json=as_json)


def in_place_of(**others: object) -> None:
    """Refuse options that say what a Consent says already.

    Args:
        **others: by their names, with `_` for `-`; what was not given is empty, None or False.

    Raises:
        InvalidInput: one of them was given.
    """
    for name, value in others.items():
        if value:
            option = f"--{name.replace('_', '-')}"
            raise InvalidInput(f"--consent says it all: leave out {option}, or change the Consent")
