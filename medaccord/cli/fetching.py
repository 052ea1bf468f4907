"""``medaccord records list``, ``fetch`` and ``link``: what a gatekeeper releases, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import parse_qs

import typer

from medaccord.cli.acting import (
    Flags,
    acting_patient,
    acting_provider,
    acts,
    connected,
)
from medaccord.cli.fhir_forms import say_resource
from medaccord.cli.output import JsonOption, say
from medaccord.cli.own_files import written
from medaccord.cli.progress import progress_bar
from medaccord.cli.record_files import as_line, receipt_line, to_folder, to_ndjson
from medaccord.client import Patient, Provider, RecordPages, ReleasedRecord
from medaccord.core.canonical import document_bytes
from medaccord.core.errors import AccessRefused, InvalidInput
from medaccord.core.identifiers import Address, address, hex_digest
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.core.resource_types import RESOURCE_TYPES, is_record
from medaccord.fhir import collection
from medaccord.fhir.naming import Element

PatientOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--patient",
        metavar="ADDRESS",
        help="Whose records, for an organisation; your own unless given.",
    ),
]
PurposeOption: TypeAlias = Annotated[
    Purpose | None,
    typer.Option("--purpose", help="What an organisation reads for; TREAT unless given."),
]
SearchOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--search", metavar="QUERY", help='A type, such as "Observation?category=laboratory".'
    ),
]
IdOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="ID",
        help="Of the Patient resource, for everything; looked up unless given.",
    ),
]

_OURS: Final = ("patient", "kind", "purpose", "identity")
"""What says itself who asks, and for what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One who reads, whoever it is.

    Attributes:
        one: reads one record, by type, id and version; None for the newest.
        search: finds records of a type.
        everything: finds all; by the id of the Patient resource, where it is known.
        pointer: points to a record.
        provenance: says who anchored records.
    """

    one: Callable[[str, str, int | None], ReleasedRecord]
    search: Callable[[str, Mapping[str, list[str]]], RecordPages]
    everything: Callable[[str | None], RecordPages]
    pointer: Callable[[ReleasedRecord], Element]
    provenance: Callable[..., tuple[Element, ...]]


@acts
def fetch(
    flags: Flags,
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="TYPE/ID[/VERSION]", help="One record, or a version of it."),
    ] = None,
    search: SearchOption = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="All that may be read, and what it refers to.")
    ] = False,
    patient: PatientOption = None,
    purpose: PurposeOption = None,
    identity: IdOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write records, proofs and receipts as NDJSON."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="FOLDER", help="Write them to a folder, a file each."),
    ] = None,
    provenance: Annotated[
        Path | None,
        typer.Option(
            "--provenance", metavar="FILE", help="Write, too, who anchored them: FHIR Provenances."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read records: one, a search, or everything; each is checked against the chain as it comes.

    They are printed, a line each, unless --out or --folder says where they go.
    """
    if out is not None and folder is not None:
        raise InvalidInput("give either --out or --folder, not both")
    if sum((name is not None, search is not None, everything)) != 1:
        raise InvalidInput("which records? Name one, or say --search or --everything")
    flags = given(context, flags)
    with _reading(flags, patient, purpose) as reading:
        found = _chosen(reading, name, search, identity)
        found.keeps = provenance is not None
        with progress_bar("Fetching") as told:
            if out is not None:
                to_ndjson(out, found.records(told), found.receipts)
            elif folder is not None:
                to_folder(folder, found.records(told), found.receipts)
            else:
                _print(found, told, as_json=as_json)
        if provenance is not None:
            origins = collection(reading.provenance(*found.kept), connected(flags).network.clock())
            with written(provenance) as file:
                file.write(document_bytes(origins) + b"\n")
    if out is None and folder is None:
        return
    document = {
        "file": None if out is None else str(out),
        "folder": None if folder is None else str(folder),
        "provenance": None if provenance is None else str(provenance),
        "records": found.count,
        "included": found.included,
        "receipts": found.signed,
    }
    also = f" and {found.included} that they refer to" if found.included else ""
    say(document, f"{out or folder}: {found.count} records{also}, all checked.", as_json=as_json)


@acts
def list_(
    flags: Flags,
    context: typer.Context,
    search: SearchOption = None,
    patient: PatientOption = None,
    purpose: PurposeOption = None,
    identity: IdOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the records that may be read, or that a search finds; it is logged as a read."""
    with _reading(given(context, flags), patient, purpose) as reading:
        found = _chosen(reading, None, search, identity)
        with progress_bar("Fetching") as told:
            listed = [_listed(each) for each in found.records(told)]
    lines = (f"{each['record']}\tversion {each['version']}" for each in listed)
    say({"records": listed}, lines, as_json=as_json)


@acts
def link(
    flags: Flags,
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="TYPE/ID[/VERSION]", help="The record, or a version of it.")
    ],
    patient: PatientOption = None,
    purpose: PurposeOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it to a file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Point to a record: a FHIR DocumentReference that says where it is kept, and not what it says.

    It names the commitment on the chain. The record is read for it, and that is logged.
    """
    with _reading(given(context, flags), patient, purpose) as reading:
        found = _read_one(reading, name)
        resource = reading.pointer(found)
    if out is None:
        say_resource(resource, as_json=as_json)
        return
    with written(out) as file:
        file.write(document_bytes(resource) + b"\n")
    say({"file": str(out), "record": found.name}, f"{out} points to {found.name}.", as_json=as_json)


def given(context: typer.Context, flags: Flags) -> Flags:
    """What was said to the command, or else to its group: `medaccord records --account … fetch`."""
    to_group: Flags = context.obj or {}
    return {name: to_group.get(name) if each is None else each for name, each in flags.items()}


class _Found:
    """Records that were found, counted as they come, and kept where that is wanted."""

    def __init__(self, one: ReleasedRecord | None, pages: RecordPages | None) -> None:
        self._one = one
        self._pages = pages
        self.count = 0
        self.included = 0
        self.keeps = False
        self.kept: list[ReleasedRecord] = []

    def records(self, told: Callable[[int, int], None]) -> Iterator[ReleasedRecord]:
        """Each record, and what they refer to at the end."""
        for each in self._coming(told):
            if self.keeps:
                self.kept.append(each)
            yield each

    def receipts(self) -> bytes:
        """The receipts of what came so far, a line each."""
        return b"".join(map(receipt_line, self._signed))

    @property
    def signed(self) -> int:
        """How many receipts there are."""
        return len(self._signed)

    def _coming(self, told: Callable[[int, int], None]) -> Iterator[ReleasedRecord]:
        if self._one is not None:
            self.count = 1
            yield self._one
        if self._pages is not None:
            for each in self._pages:
                self.count += 1
                told(self.count, self._pages.total)
                yield each
            self.included = len(self._pages.included)
            yield from self._pages.included

    @property
    def _signed(self) -> tuple[Any, ...]:
        one = () if self._one is None else self._one.receipts
        return one if self._pages is None else (*one, *self._pages.receipts)


@contextmanager
def _reading(flags: Flags, patient: str | None, purpose: Purpose | None) -> Iterator[_Reading]:
    """Act for an organisation where a patient is named, for oneself where none is."""
    if patient is None:
        if purpose is not None:
            raise InvalidInput("your own records need no purpose: leave out --purpose")
        with acting_patient(flags) as own:
            yield _own(own)
        return
    whose = address(patient)
    with acting_provider(flags, unseals=True) as provider:
        yield _others(provider, whose, purpose or Purpose.TREAT)


def _own(patient: Patient) -> _Reading:
    records = patient.records

    def one(kind: str, identity: str, version: int | None) -> ReleasedRecord:
        if version is None:
            return records.read(kind, identity)
        return records.vread(kind, identity, version)

    return _Reading(
        one=one,
        search=lambda kind, parameters: records.search(kind, **parameters),
        everything=records.everything,
        pointer=records.pointer,
        provenance=records.provenance,
    )


def _others(provider: Provider, patient: Address, purpose: Purpose) -> _Reading:
    records = provider.records

    def one(kind: str, identity: str, version: int | None) -> ReleasedRecord:
        if version is None:
            return records.read(kind, identity, patient, purpose=purpose)
        return records.vread(kind, identity, version, patient, purpose=purpose)

    def everything(identity: str | None) -> RecordPages:
        if identity is None:
            try:
                found = next(records.search("Patient", patient, purpose=purpose), None)
            except AccessRefused as refused:
                if refused.reason is not Refusal.SCOPE_NOT_COVERED:
                    raise
                raise AccessRefused(
                    refused.reason,
                    f"{refused.detail} Name what it covers, as --search Observation; or name the"
                    " Patient with --id for all that it covers.",
                    consent=refused.consent,
                ) from refused
            if found is None:
                raise InvalidInput("no Patient resource may be read: name its id with --id")
            identity = found.name.partition("/")[2]
        return records.everything(identity, patient, purpose=purpose)

    return _Reading(
        one=one,
        search=lambda kind, parameters: records.search(
            kind, patient, purpose=purpose, **parameters
        ),
        everything=everything,
        pointer=lambda record: records.pointer(record, patient),
        provenance=records.provenance,
    )


def _chosen(
    reading: _Reading, name: str | None, search: str | None, identity: str | None
) -> _Found:
    if identity is not None and (name is not None or search is not None):
        raise InvalidInput("--id is for everything alone")
    if name is not None:
        return _Found(_read_one(reading, name), None)
    if search is None:
        return _Found(None, reading.everything(identity))
    kind, _, query = search.partition("?")
    if kind not in RESOURCE_TYPES:
        raise InvalidInput(f"{kind!r} is no type of FHIR R4: search as Observation?category=…")
    parameters = parse_qs(query, keep_blank_values=True)
    if ours := [each for each in _OURS if each in parameters]:
        raise InvalidInput(f"leave {ours[0]} out of the search: --patient and --purpose say it")
    return _Found(None, reading.search(kind, parameters))


def _read_one(reading: _Reading, name: str) -> ReleasedRecord:
    kind, identity, *version = [*name.split("/"), ""][:3]
    number = version[0] if version else ""
    if (
        name.count("/") > 2  # TYPE/ID/VERSION
        or not is_record(f"{kind}/{identity}")
        or (number and not (number.isascii() and number.isdigit()))
        or name.endswith("/")
    ):
        raise InvalidInput(f"{name!r} is no record: name it Type/id, or Type/id/version")
    return reading.one(kind, identity, int(number) if number else None)


def _print(found: _Found, told: Callable[[int, int], None], *, as_json: bool) -> None:
    """Print records as they were anchored: no parser of numbers in between."""
    if not as_json:
        for each in found.records(told):
            typer.echo(each.record.decode())
        return
    records = [as_line(each).decode().rstrip() for each in found.records(told)]
    receipts = found.receipts().decode().splitlines()
    typer.echo(
        f'{{"records":[{",".join(records[: found.count])}],'
        f'"included":[{",".join(records[found.count :])}],'
        f'"receipts":[{",".join(receipts)}]}}'
    )


def _listed(record: ReleasedRecord) -> dict[str, Any]:
    return {
        "record": record.name,
        "version": record.version,
        "block": record.proof.anchor.block_number,
        "bytes": len(record.record),
        "leaf": hex_digest(record.proof.pointer.leaf),
    }
