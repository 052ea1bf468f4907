"""An export holds everything, byte for byte, and is whole or not there."""

import base64
import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from medaccord.core.canonical import parse_object, record_bytes
from medaccord.core.errors import AccessRefused, StoreFailed
from medaccord.core.identifiers import Address
from medaccord.core.refusals import Refusal
from medaccord.fhir.source import Source
from medaccord.records.export import Document, Exported, ExportForm, export_to_file
from medaccord.store import tables, writing
from tests.unit.records.conftest import NOW, Hospital, bundle, observation, practitioner

BOTH = pytest.mark.parametrize("form", list(ExportForm))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    return folder / "everything.json"


@pytest.fixture
def content(hospital: Hospital, patient: Address) -> None:
    hospital.take_in(
        bundle(observation("hb", "1.0"), observation("crp", "5.00"), practitioner()), patient
    )
    hospital.take_in(bundle(observation("hb", "1.00")), patient)


def export(
    hospital: Hospital, patient: Address, path: Path, form: ExportForm, *documents: Document
) -> Exported:
    return export_to_file(hospital.reopened(), patient, path, form, documents=documents)


def resources(path: Path, form: ExportForm) -> list[Any]:
    text = path.read_bytes()
    if form is ExportForm.NDJSON:
        return [parse_object(line) for line in text.splitlines()]
    entries: Any = parse_object(text)["entry"]
    return [entry["resource"] for entry in entries]


@pytest.mark.usefixtures("content")
@BOTH
def test_records_are_exported_byte_for_byte_in_their_newest_version(
    hospital: Hospital, patient: Address, path: Path, form: ExportForm
) -> None:
    exported = export(hospital, patient, path, form)
    assert (exported.records, exported.superseded, exported.not_anchored) == (3, 1, 0)
    assert exported.bytes == path.stat().st_size
    data = path.read_bytes()
    for record in hospital.read(patient).values():
        assert record.content in data
    found = resources(path, form)
    assert {record_bytes(each) for each in found} >= {
        record.content for record in hospital.read(patient).values()
    }
    assert b'"value":1.00}' in data
    assert b"Wolkenstein" not in data  # the steward's own


@pytest.mark.usefixtures("content")
@BOTH
def test_superseded_version_is_a_binary_that_names_its_record(
    hospital: Hospital, patient: Address, path: Path, form: ExportForm
) -> None:
    export(hospital, patient, path, form)
    (old,) = (each for each in resources(path, form) if each["resourceType"] == "Binary")
    older = hospital.records.versions(patient, "Observation/hb")[0]
    assert base64.b64decode(old["data"]) == hospital.records.open([older])[0].content
    assert old["contentType"] == "application/fhir+json"
    assert old["securityContext"] == {"reference": "Observation/hb"}
    assert old["meta"]["tag"][0]["code"] == "Observation/hb/1"


@pytest.mark.usefixtures("content")
def test_bundle_gives_every_entry_a_full_url_of_its_own(
    hospital: Hospital, patient: Address, path: Path
) -> None:
    documents = (Document(name=f"d{number}", content=b"{}") for number in range(3))
    export(hospital, patient, path, ExportForm.BUNDLE, *documents)
    document = json.loads(path.read_bytes())
    assert (document["resourceType"], document["type"]) == ("Bundle", "collection")
    urls = [entry["fullUrl"] for entry in document["entry"]]
    assert len(set(urls)) == len(urls) == 7
    for entry in document["entry"]:
        name = f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
        assert entry["fullUrl"].endswith(f"/{name}")


@pytest.mark.usefixtures("content")
@BOTH
def test_documents_are_exported_about_the_patient(
    hospital: Hospital, patient: Address, path: Path, form: ExportForm
) -> None:
    exported = export(hospital, patient, path, form, Document(name="terms/1", content=b'{"a":1}'))
    assert exported.documents == 1
    (found,) = (
        each
        for each in resources(path, form)
        if each.get("meta", {}).get("tag") and each["meta"]["tag"][0]["code"] == "terms/1"
    )
    assert base64.b64decode(found["data"]) == b'{"a":1}'
    assert found["contentType"] == "application/json"
    assert found["securityContext"] == {"reference": "Patient/anna-1"}


@pytest.mark.usefixtures("content")
def test_export_can_be_imported_again(hospital: Hospital, patient: Address, path: Path) -> None:
    export(hospital, patient, path, ExportForm.BUNDLE)
    source = Source.open(path.read_bytes())
    assert source.patients == ("anna-1",)
    assert source.total == 4


def test_version_is_left_out_and_counted_when_its_anchor_is_not_final(
    hospital: Hospital, patient: Address, path: Path
) -> None:
    hospital.take_in(bundle(observation("hb", "1.0")), patient)
    hospital.importer.import_bundle(bundle(observation("hb", "2.0")), patient, at=NOW)
    exported = export(hospital, patient, path, ExportForm.NDJSON)
    assert (exported.records, exported.superseded, exported.not_anchored) == (2, 0, 1)


@pytest.mark.usefixtures("content")
def test_export_is_for_its_owners_eyes_alone(
    hospital: Hospital, patient: Address, path: Path
) -> None:
    export(hospital, patient, path, ExportForm.BUNDLE)
    assert path.stat().st_mode & 0o777 == 0o600


# --- Nothing half-written ---


@pytest.mark.usefixtures("content")
@BOTH
def test_nothing_is_written_when_a_record_is_not_what_was_anchored(
    hospital: Hospital, patient: Address, path: Path, form: ExportForm
) -> None:
    record = tables.record_version.c.record == hospital.names.record("Observation/hb")
    version = tables.record_version.c.version == 1
    with writing(hospital.engine) as connection:
        connection.execute(
            update(tables.record_version).where(record, version).values(ciphertext=bytes(60))
        )
    path.write_bytes(b"before")
    with pytest.raises(AccessRefused) as caught:
        export(hospital, patient, path, form)
    assert caught.value.reason is Refusal.RECORD_UNVERIFIABLE
    assert caught.value.detail.startswith("Observation/hb, version 1, is not what was anchored")
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == b"before"


def test_nothing_is_written_when_the_patient_is_unknown(
    hospital: Hospital, stranger: Address, path: Path
) -> None:
    with pytest.raises(AccessRefused) as caught:
        export(hospital, stranger, path, ExportForm.BUNDLE)
    assert caught.value.reason is Refusal.UNKNOWN_PATIENT
    assert list(path.parent.iterdir()) == []


@pytest.mark.usefixtures("content")
def test_nothing_is_left_when_there_is_no_room(
    hospital: Hospital, patient: Address, path: Path
) -> None:
    large = Document(name="large", content=b"x" * 1_000_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    try:
        with pytest.raises(StoreFailed, match="File too large"):
            export(hospital, patient, path, ExportForm.BUNDLE, large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(path.parent.iterdir()) == []


@pytest.mark.usefixtures("content")
def test_nothing_is_left_when_the_documents_break_off(
    hospital: Hospital, patient: Address, path: Path
) -> None:
    def broken() -> Iterator[Document]:
        yield Document(name="first", content=b"{}")
        raise StoreFailed("the database is gone")

    with pytest.raises(StoreFailed, match="the database is gone"):
        export_to_file(hospital.records, patient, path, ExportForm.NDJSON, documents=broken())
    assert list(path.parent.iterdir()) == []
