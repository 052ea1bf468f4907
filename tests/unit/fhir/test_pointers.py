"""Pointers and anchors in FHIR: what is held, and who anchored it where."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from medaccord.core.anchors import Anchor
from medaccord.core.documents import members_of
from medaccord.core.errors import InvalidDocument, InvalidInput
from medaccord.core.identifiers import Digest, hex_digest
from medaccord.core.pointers import Pointer, record_key
from medaccord.fhir.document_reference import COMMITMENT_EXTENSION, document_reference
from medaccord.fhir.naming import POINTER_SYSTEM
from medaccord.fhir.provenance import ANCHOR_EXTENSION, provenance
from tests.unit.fhir.r4b import check_r4
from tests.unit.fhir.stated import CLINIC, HOSPITAL, NOON, PATIENT, account

KEY = account("f0")
POINTER = Pointer(
    steward=HOSPITAL.address,
    topic=Digest(b"\x01" * 32),
    record=record_key("Observation/1"),
    version=3,
    plaintext=Digest(b"\x02" * 32),
    ciphertext=Digest(b"\x03" * 32),
    salt=Digest(b"\x04" * 32),
)
ANCHOR = Anchor(
    account=HOSPITAL.address,
    topic=POINTER.topic,
    previous=Digest(bytes(32)),
    root=Digest(b"\x05" * 32),
    head=Digest(b"\x06" * 32),
    block_number=2**33,
    transaction=Digest(b"\x07" * 32),
)
VERSIONS = ("Observation/1/3", "Condition/2/1")


def document(**arguments: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"steward": HOSPITAL, "patient": PATIENT, "anchored_at": NOON}
    return document_reference("Observation/1", POINTER, **{**given, **arguments})


def made(**arguments: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"steward": HOSPITAL, "by": KEY.address, "anchored_at": NOON}
    versions = arguments.pop("versions", VERSIONS)
    return provenance(versions, ANCHOR, **{**given, **arguments})


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"patient": None, "anchored_at": None},
        {"superseded": True, "base_url": "https://a.example/fhir"},
    ],
)
def test_document_reference_has_what_r4_demands(arguments: dict[str, Any]) -> None:
    check_r4(document(**arguments))


def test_document_reference_names_the_version_and_its_commitment() -> None:
    leaf = hex_digest(POINTER.leaf)
    found = document()
    assert found["masterIdentifier"] == {"system": POINTER_SYSTEM, "value": leaf}
    (content,) = found["content"]
    assert content["attachment"] == {
        "extension": [{"url": COMMITMENT_EXTENSION, "valueString": leaf}],
        "contentType": "application/fhir+json",
        "url": "Observation/1/_history/3",
    }
    assert found["context"]["related"][0]["reference"] == "Observation/1/_history/3"


def test_document_reference_opens_nothing_of_the_commitment() -> None:
    found = str(document())
    for hidden in (POINTER.salt, POINTER.plaintext, POINTER.ciphertext, POINTER.record):
        assert hidden.hex() not in found


def test_document_reference_names_steward_and_patient() -> None:
    found = document()
    assert found["custodian"]["identifier"]["value"] == str(HOSPITAL)
    assert found["subject"]["identifier"]["value"] == str(PATIENT)
    assert "subject" not in document(patient=None)


def test_document_reference_is_superseded_when_there_is_a_newer_version() -> None:
    assert (document()["status"], document(superseded=True)["status"]) == ("current", "superseded")


def test_document_reference_has_a_whole_address_when_the_service_is_known() -> None:
    attachment = document(base_url="https://a.example/fhir")["content"][0]["attachment"]
    assert attachment["url"] == "https://a.example/fhir/Observation/1/_history/3"


def test_document_reference_is_refused_when_the_pointer_is_to_another_record() -> None:
    with pytest.raises(InvalidInput, match="another record than Observation/2"):
        document_reference("Observation/2", POINTER, steward=HOSPITAL)


def test_document_reference_is_refused_when_the_pointer_is_of_another_steward() -> None:
    with pytest.raises(InvalidInput, match=f"of {HOSPITAL.address}, not of {CLINIC}"):
        document(steward=CLINIC)


def test_document_reference_is_refused_when_its_time_has_no_time_zone() -> None:
    with pytest.raises(InvalidDocument, match="no time zone"):
        document(anchored_at=NOON.replace(tzinfo=None))


@pytest.mark.parametrize("arguments", [{}, {"signature": b"\x01" * 65}, {"by": HOSPITAL.address}])
def test_provenance_has_what_r4_demands(arguments: dict[str, Any]) -> None:
    check_r4(made(**arguments))


def test_provenance_names_what_was_anchored_and_when() -> None:
    found = made()
    assert [each["reference"] for each in found["target"]] == [
        "Observation/1/_history/3",
        "Condition/2/_history/1",
    ]
    assert found["recorded"] == found["occurredDateTime"] == "2026-03-10T12:00:00.000000Z"


def test_provenance_names_the_steward_and_the_key_that_appended_for_it() -> None:
    custodian, performer = made()["agent"]
    assert custodian["who"]["identifier"]["value"] == str(HOSPITAL)
    assert performer["who"]["identifier"]["value"] == str(KEY)
    assert performer["onBehalfOf"] == custodian["who"]


def test_provenance_names_the_steward_alone_when_it_appended_itself() -> None:
    (custodian,) = made(by=HOSPITAL.address)["agent"]
    assert custodian["who"]["identifier"]["value"] == str(HOSPITAL)


def test_provenance_holds_the_anchor_with_its_transaction() -> None:
    (extension,) = made()["extension"]
    assert extension["url"] == ANCHOR_EXTENSION
    assert Anchor.parse(members_of(extension["valueString"])) == ANCHOR


def test_provenance_holds_the_signature_where_there_is_one() -> None:
    assert "signature" not in made()
    (signature,) = made(signature=b"\x01" * 65)["signature"]
    assert base64.b64decode(signature["data"]) == b"\x01" * 65
    assert signature["who"]["identifier"]["value"] == str(KEY)


def test_provenance_is_refused_when_nothing_was_anchored() -> None:
    with pytest.raises(InvalidInput, match="at least one version"):
        made(versions=())


def test_provenance_is_refused_when_the_anchor_is_of_another_account() -> None:
    with pytest.raises(InvalidInput, match=f"of {HOSPITAL.address}, not of {CLINIC}"):
        made(steward=CLINIC)
