"""Everything about a patient, in one file: as a FHIR Bundle, or as NDJSON.

The newest versions are entries of their own, byte for byte the canonical records: no model class
and no serialiser touches them. Versions that were superseded, and the steward's own documents about
the patient, are Binary resources.

Source: FHIR R4 Bundle (type collection), Binary; FHIR Bulk Data Access for NDJSON.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from pathlib import Path
from typing import IO, Final

from medaccord.core.errors import StoreFailed
from medaccord.core.identifiers import Address
from medaccord.keys.files import written_whole
from medaccord.records.repository import Found, RecordRepository

__all__ = ["Document", "ExportForm", "Exported", "export_to_file", "write_export"]

_FHIR: Final = "application/fhir+json"
JSON: Final = "application/json"


class ExportForm(Enum):
    """How an export is written."""

    BUNDLE = "bundle"
    NDJSON = "ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Something the steward holds about a patient that is no FHIR resource.

    Attributes:
        name: tells it from every other document of the patient.
        content: the document.
        content_type: its media type.
    """

    name: str
    content: bytes
    content_type: str = JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export came to.

    Attributes:
        records: how many records, each in its newest version.
        superseded: how many older versions of them.
        documents: how many documents of the steward.
        not_anchored: how many versions were left out, since their anchor is not final yet: nothing
            proves them.
        bytes: length of the file.
    """

    records: int
    superseded: int
    documents: int
    not_anchored: int
    bytes: int


def export_to_file(
    repository: RecordRepository,
    account: Address,
    path: Path,
    form: ExportForm,
    *,
    documents: Iterable[Document] = (),
    base: str | None = None,
) -> Exported:
    """Write everything about a patient to a file, whole or not at all.

    Args:
        repository: the records.
        account: an account that stands for the patient.
        path: the file; one that is there is replaced once the new one is whole. Only its owner may
            read it.
        form: Bundle or NDJSON.
        documents: what else is held about the patient.
        base: see `write_export`.

    Raises:
        AccessRefused: as `write_export`.
        StoreFailed: there is no room left, or the folder cannot be written to.
    """
    try:
        with written_whole(path) as out:
            return write_export(repository, account, out, form, documents=documents, base=base)
    except OSError as error:
        raise StoreFailed(
            f"the export cannot be written to {path}: {error.strerror or error}"
        ) from error


def write_export(
    repository: RecordRepository,
    account: Address,
    out: IO[bytes],
    form: ExportForm,
    *,
    documents: Iterable[Document] = (),
    base: str | None = None,
) -> Exported:
    """Write everything about a patient, a record at a time. Each is checked as it is opened.

    Warning: where this raises, what was written is no export. `export_to_file` leaves nothing then.

    Args:
        repository: the records.
        account: an account that stands for the patient.
        out: takes the bytes.
        form: Bundle or NDJSON.
        documents: what else is held about the patient.
        base: where the records are served, so that references between them lead somewhere; a name
            that never resolves unless given.

    Raises:
        AccessRefused: UNKNOWN_PATIENT; RECORD_UNVERIFIABLE, naming the first record that is not
            what was anchored.
        StoreFailed: the database is out of reach.
    """
    writer = _Writer(out, form, base or f"https://{account.lower()}.invalid/fhir")
    history = repository.history(account)
    patient = next((each[-1] for each in history.records if _kind(each[-1]) == "Patient"), None)
    about = None if patient is None else patient.descriptor.record
    superseded = 0
    writer.begin()
    for versions in history.records:
        *older, newest = versions
        name = newest.descriptor.record
        writer.add(name, repository.open([newest])[0].content)
        for each in older:
            (record,) = repository.open([each])
            superseded += 1
            writer.add_binary(f"{name}/{each.entry.version}", record.content, _FHIR, name)
    count = 0
    for document in documents:
        count += 1
        writer.add_binary(document.name, document.content, document.content_type, about)
    writer.end()
    return Exported(
        records=len(history.records),
        superseded=superseded,
        documents=count,
        not_anchored=history.not_anchored,
        bytes=writer.written,
    )


class _Writer:
    def __init__(self, out: IO[bytes], form: ExportForm, base: str) -> None:
        self.written = 0
        self._out = out
        self._form = form
        self._base = base
        self._first = True

    def begin(self) -> None:
        if self._form is ExportForm.BUNDLE:
            self._write(b'{"resourceType":"Bundle","type":"collection","entry":[')

    def add(self, name: str, resource: bytes) -> None:
        if self._form is ExportForm.NDJSON:
            self._write(resource + b"\n")
            return
        url = json.dumps(f"{self._base}/{name}").encode()
        before = b"" if self._first else b","
        self._first = False
        self._write(before + b'{"fullUrl":' + url + b',"resource":' + resource + b"}")

    def add_binary(self, name: str, content: bytes, kind: str, about: str | None) -> None:
        identity = sha256(name.encode()).hexdigest()[:40]
        resource: dict[str, object] = {
            "resourceType": "Binary",
            "id": identity,
            "meta": {"tag": [{"system": "urn:medaccord:export", "code": name}]},
            "contentType": kind,
        }
        if about is not None:
            resource["securityContext"] = {"reference": about}
        resource["data"] = base64.b64encode(content).decode()
        text = json.dumps(resource, separators=(",", ":"), ensure_ascii=False)
        self.add(f"Binary/{identity}", text.encode())

    def end(self) -> None:
        if self._form is ExportForm.BUNDLE:
            self._write(b"]}\n")

    def _write(self, part: bytes) -> None:
        self._out.write(part)
        self.written += len(part)


def _kind(found: Found) -> str:
    return found.descriptor.resource_type
