"""Every resource of a file is somebody's; where that cannot be told, the file is refused."""

import json

import pytest

from medaccord.core.resource_types import RESOURCE_TYPES
from medaccord.fhir.owners import PARTICIPANTS, SHARED_TYPES, SUBJECTS
from medaccord.fhir.resource import DIRECTORY_TYPES
from tests.unit.fhir.files import (
    ANNA,
    BERTA,
    FORMS,
    Form,
    Made,
    collection,
    made,
    ndjson,
    parts,
    refusal,
    to,
)


@pytest.mark.parametrize("member", SUBJECTS)
@FORMS
def test_resource_is_its_subjects_whatever_the_member_is_called(member: str, form: Form) -> None:
    data = form(ANNA, BERTA, made("Observation/1", **{member: to("Patient/berta")}))
    assert parts(data)["berta"] == ["Patient/berta", "Observation/1"]


IDENTIFIED = {"identifier": [{"system": "https://h.example", "value": "7"}]}


@pytest.mark.parametrize(
    "subject",
    [
        to("Patient/anna"),
        to("Patient/anna/_history/2"),
        to("https://a.example/anna"),
        to("Patient?identifier=https://h.example|7"),
        {"identifier": {"system": "https://h.example", "value": "7"}},
    ],
    ids=str,
)
def test_subject_is_told_however_it_is_named(subject: Made) -> None:
    anna = {**ANNA, **IDENTIFIED}
    data = collection(BERTA, made("Observation/1", subject=subject), anna)
    assert parts(data)["anna"] == ["Observation/1", "Patient/anna"]


def test_subject_is_told_by_absolute_url_when_the_file_holds_no_patient() -> None:
    data = ndjson(
        made("Observation/1", subject=to("https://a.example/fhir/Patient/anna")),
        made("Observation/2", subject=to("Patient/anna")),
    )
    assert parts(data) == {"anna": ["Observation/1", "Observation/2"], "": []}


def test_file_is_refused_when_two_servers_have_a_patient_of_the_same_id() -> None:
    data = ndjson(
        made("Observation/1", subject=to("https://a.example/Patient/anna")),
        made("Observation/2", subject=to("https://b.example/Patient/anna")),
    )
    assert refusal(data) == (
        "line 2 (Observation/2) is about nobody who can be told: its subject is no patient of the "
        "file"
    )


def bundle(**resources_by_url: Made) -> bytes:
    """A Bundle whose entries have these addresses."""
    entries = [{"fullUrl": url, "resource": made} for url, made in resources_by_url.items()]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def test_subject_is_looked_for_on_the_server_that_the_entry_is_from() -> None:
    data = bundle(
        **{
            "https://a.example/fhir/Patient/anna": ANNA,
            "https://a.example/fhir/Observation/1": made(
                "Observation/1", subject=to("Patient/anna/_history/2")
            ),
        }
    )
    assert parts(data)["anna"] == ["Patient/anna", "Observation/1"]


def test_file_is_refused_when_a_subject_is_a_patient_of_the_same_id_on_another_server() -> None:
    data = bundle(
        **{
            "https://a.example/fhir/Patient/anna": ANNA,
            "https://a.example/fhir/Patient/berta": BERTA,
            "https://b.example/fhir/Observation/1": made(
                "Observation/1", subject=to("Patient/anna")
            ),
        }
    )
    assert refusal(data) == (
        "entry 3 (Observation/1) is about nobody who can be told: its subject is no patient of the "
        "file"
    )


@pytest.mark.parametrize(
    "url", ["Patient/anna", "https://a.example/Patient/anna", "https://a.example/Group/berta"]
)
def test_file_is_refused_when_a_patient_has_the_address_of_another(url: str) -> None:
    data = bundle(
        **{
            "https://h.example/Patient/anna": ANNA,
            url: BERTA,
            "https://h.example/1": made("Observation/1", subject=to("Patient/anna")),
        }
    )
    assert refusal(data) == f'entry 2 (Patient/berta) has the fullUrl of another: "{url}"'


@pytest.mark.parametrize("kind", ["Group", "http://hl7.org/fhir/StructureDefinition/Group", 7])
def test_file_is_refused_when_an_identifier_is_said_to_be_of_another_kind(kind: object) -> None:
    subject = {"type": kind, "identifier": IDENTIFIED["identifier"][0]}
    data = ndjson({**ANNA, **IDENTIFIED}, BERTA, made("Observation/1", subject=subject))
    assert refusal(data) == (
        "line 3 (Observation/1) is about nobody who can be told: its subject is no patient of the "
        "file"
    )


@pytest.mark.parametrize(
    "subject",
    [
        to("Group/1"),
        to("#anna"),
        to("urn:uuid:0b6b8a1c-6a6e-4d0e-8f1c-0f6d3c0f7a01"),
        to("Patient?name=anna"),
        to("Patient?identifier=https://h.example|8"),
        {"identifier": {"system": "https://h.example", "value": "7"}},
        {"display": "Anna"},
        {},
    ],
    ids=str,
)
def test_file_is_refused_when_a_subject_cannot_be_told(subject: Made) -> None:
    anna, berta = {**ANNA, **IDENTIFIED}, {**BERTA, **IDENTIFIED}
    assert refusal(ndjson(anna, berta, made("Observation/1", subject=subject))) == (
        "line 3 (Observation/1) is about nobody who can be told: its subject is no patient of the "
        "file"
    )


@FORMS
def test_file_is_refused_when_a_resource_is_about_two_patients(form: Form) -> None:
    account = made("Account/1", subject=[to("Patient/anna"), to("Patient/berta")])
    assert refusal(form(ANNA, BERTA, account)).endswith(
        " 3 (Account/1) is about more than one patient: its subject is another"
    )


def test_file_is_refused_when_a_resource_has_two_members_about_different_patients() -> None:
    device = made("Device/1", subject=to("Patient/anna"), patient=to("Patient/berta"))
    assert refusal(ndjson(ANNA, BERTA, device)) == (
        "line 3 (Device/1) is about more than one patient: its patient is another"
    )


@pytest.mark.parametrize("kind", sorted(PARTICIPANTS))
def test_resource_is_the_patients_whom_it_takes_in_among_others(kind: str) -> None:
    doctor, anna = to("Practitioner/p"), to("Patient/anna")
    members = {
        member: [{within: doctor}, {within: anna}] if within else [doctor, anna]
        for member, within in PARTICIPANTS[kind]
    }
    assert parts(ndjson(ANNA, BERTA, made(f"{kind}/1", **members)))["anna"] == [
        "Patient/anna",
        f"{kind}/1",
    ]


def test_file_is_refused_when_a_resource_takes_two_patients_in() -> None:
    members = [{"entity": to("Patient/anna")}, {"entity": to("Patient/berta")}]
    assert refusal(ndjson(ANNA, BERTA, made("Group/1", member=members))) == (
        "line 3 (Group/1) names more than one patient"
    )


def test_resource_that_names_nobody_is_the_patients_when_the_file_has_one() -> None:
    data = collection(ANNA, made("Medication/1"), made("Questionnaire/2"), made("Group/3"))
    assert parts(data)["anna"] == ["Patient/anna", "Medication/1", "Questionnaire/2", "Group/3"]


@FORMS
def test_resource_that_names_nobody_is_the_patients_whose_resources_refer_to_it(
    form: Form,
) -> None:
    data = form(
        made("Substance/3"),
        made("Medication/2", ingredient=[{"itemReference": to("Substance/3")}]),
        ANNA,
        BERTA,
        made(
            "MedicationRequest/1",
            subject=to("Patient/berta"),
            medication=to("Medication/2"),
        ),
    )
    assert parts(data)["berta"] == [
        "Substance/3",
        "Medication/2",
        "Patient/berta",
        "MedicationRequest/1",
    ]


def test_resource_that_names_nobody_is_the_patients_whose_resources_it_refers_to() -> None:
    data = ndjson(
        ANNA,
        BERTA,
        made("Observation/1", subject=to("Patient/anna")),
        made("Provenance/2", target=[to("Observation/1")]),
    )
    assert parts(data)["anna"] == ["Patient/anna", "Observation/1", "Provenance/2"]


@pytest.mark.parametrize("kind", sorted(SHARED_TYPES))
@pytest.mark.parametrize("used_by", [(), ("anna", "berta")])
def test_shared_type_is_the_stewards_when_no_one_patients(
    kind: str, used_by: tuple[str, ...]
) -> None:
    users = [
        made(f"Basic/{one}", subject=to(f"Patient/{one}"), extension=[{"value": to(f"{kind}/1")}])
        for one in used_by
    ]
    assert parts(ndjson(ANNA, BERTA, made(f"{kind}/1"), *users))[""] == [f"{kind}/1"]


def test_shared_type_is_the_stewards_when_it_is_shared_through_others() -> None:
    data = ndjson(
        ANNA,
        BERTA,
        made("Medication/1"),
        made(
            "MedicationRequest/2",
            subject=to("Patient/anna"),
            medication=to("Medication/1"),
        ),
        made("Observation/3", subject=to("Patient/berta")),
        made("List/4", entry=[{"item": to("Observation/3")}, {"item": to("Medication/1")}]),
    )
    assert parts(data) == {
        "anna": ["Patient/anna", "MedicationRequest/2"],
        "berta": ["Patient/berta", "Observation/3", "List/4"],
        "": ["Medication/1"],
    }


def test_file_is_refused_when_two_patients_share_what_is_personal() -> None:
    data = ndjson(
        ANNA,
        BERTA,
        made("Observation/1", subject=to("Patient/anna")),
        made("Observation/2", subject=to("Patient/berta")),
        made("Provenance/3", target=[to("Observation/1"), to("Observation/2")]),
    )
    assert refusal(data) == (
        "line 5 (Provenance/3) belongs to more than one patient: it names none, and several of "
        "them refer to it"
    )


@pytest.mark.parametrize("kind", ["Composition", "QuestionnaireResponse", "Group", "Observation"])
def test_file_of_several_is_refused_when_nothing_tells_whose_a_resource_is(kind: str) -> None:
    assert refusal(ndjson(ANNA, BERTA, made(f"{kind}/1"))) == (
        f"line 3 ({kind}/1) is about nobody who can be told: split the file, one patient each"
    )


def test_file_of_nobody_is_refused_when_it_holds_what_is_personal() -> None:
    assert refusal(ndjson(made("Observation/1"), made("Observation/2"))).startswith(
        "line 1 (Observation/1) is about nobody who can be told"
    )


def test_tables_of_owners_name_types_of_fhir_once() -> None:
    assert SHARED_TYPES < RESOURCE_TYPES
    assert PARTICIPANTS.keys() < RESOURCE_TYPES
    assert not SHARED_TYPES & (PARTICIPANTS.keys() | DIRECTORY_TYPES | {"Patient"})
