"""References get names that last; nothing else of a record changes."""

import json
from typing import Any

import pytest

from medaccord.core.canonical import encode, parse
from medaccord.core.errors import InvalidBundle
from medaccord.fhir.references import Condition, Identifier, stable_id
from medaccord.fhir.source import Source
from tests.unit.fhir.samples import OBSERVATION_URN, PATIENT_URN, data, observation, patient

NPI = "http://hl7.org/fhir/sid/us-npi"
QUESTION = f"Practitioner?identifier={NPI}|9999"
STABLE = "3bb3110b-27a8-5b81-9271-527a2a294136"


def doctor(
    identity: str = "d1", *, number: str = "9999", kind: str = "Practitioner"
) -> dict[str, Any]:
    return {
        "resource": {
            "resourceType": kind,
            "id": identity,
            "identifier": [{"system": NPI, "value": number}],
        }
    }


def read(*entries: Any) -> dict[str, Any]:
    """What comes out of a Bundle, by name."""
    source = Source.open(data(*entries))
    (one,) = source.patients
    found = (*source.resources(one), *source.directory())
    return {each.record: json.loads(encode(each.value)) for each in found}


def referring(reference: str) -> dict[str, Any]:
    """An observation that refers to somebody beside its patient."""
    return observation(id="o1", performer=[{"reference": reference, "display": "who"}])


def rewritten(reference: str, *others: Any) -> str:
    record = read(patient(id="p1"), referring(reference), *others)["Observation/o1"]
    return str(record["performer"][0]["reference"])


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        (PATIENT_URN, "Patient/p1"),
        (PATIENT_URN.upper().replace("URN:UUID", "urn:uuid"), "Patient/p1"),
        (f"{PATIENT_URN}/_history/3", "Patient/p1/_history/3"),
        (OBSERVATION_URN, "Observation/o1"),
    ],
)
def test_urn_becomes_a_name_when_an_entry_has_it(reference: str, name: str) -> None:
    assert rewritten(reference) == name


@pytest.mark.parametrize(
    "reference",
    [
        "urn:uuid:ffffffff-6a6e-4d0e-8f1c-0f6d3c0f7a01",
        "urn:oid:1.2.3",
        "#contained",
        "Practitioner/7",
        "Practitioner/7/_history/2",
        "https://elsewhere.example/fhir/Practitioner/7",
        "https://elsewhere.example/search?identifier=7",
        "Nonsense?identifier=7",
        "Practitioner?",
        "what?",
        "",
    ],
)
def test_reference_stays_when_it_is_no_name_of_the_file(reference: str) -> None:
    assert rewritten(reference) == reference


@pytest.mark.parametrize(
    "question",
    [
        QUESTION,
        f"Practitioner?identifier={NPI}%7C9999",
        "Practitioner?identifier=http%3A%2F%2Fhl7.org%2Ffhir%2Fsid%2Fus-npi%7c9999",
    ],
)
def test_conditional_reference_becomes_the_one_resource_that_fits(question: str) -> None:
    assert rewritten(question, doctor("other", number="1"), doctor()) == "Practitioner/d1"


@pytest.mark.parametrize(
    "others", [(), (doctor(number="1"),), (doctor(kind="Organization"),)], ids=len
)
def test_conditional_reference_becomes_a_stable_name_when_nothing_fits(others: Any) -> None:
    assert rewritten(QUESTION, *others) == f"Practitioner/{STABLE}"


def test_stable_id_is_the_same_for_ever() -> None:
    # Pinned: another value here would give everything imported so far another name.
    question = Condition.parse(QUESTION)
    assert question is not None
    assert stable_id(question) == STABLE


def test_stable_id_depends_on_type_and_query_alone() -> None:
    texts = [
        QUESTION,
        QUESTION.replace("Practitioner", "Organization"),
        QUESTION.replace("9999", "9998"),
        "Practitioner?name=9999",
        "Practitioner?identifier=9999",
    ]
    conditions = [condition for text in texts if (condition := Condition.parse(text))]
    assert len({stable_id(condition) for condition in conditions}) == len(texts)


@pytest.mark.parametrize("order", ["a=1&b=2", "b=2&a=1"])
def test_condition_has_one_form_whatever_order_it_is_asked_in(order: str) -> None:
    assert str(Condition.parse(f"Patient?{order}")) == "Patient?a=1&b=2"


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("Patient?identifier=s|7", Identifier(system="s", value="7")),
        ("Patient?identifier=|7", Identifier(system=None, value="7")),
        ("Patient?identifier=7", Identifier(system=None, value="7")),
        ("Patient?identifier=a+b", Identifier(system=None, value="a+b")),
        ("Patient?identifier=s|", None),
        ("Patient?identifier=s|7&active=true", None),
        ("Patient?name=7", None),
    ],
)
def test_condition_asks_for_one_identifier_or_none(
    text: str, identifier: Identifier | None
) -> None:
    condition = Condition.parse(text)
    assert condition is not None
    assert condition.identifier == identifier


def test_file_is_refused_when_a_conditional_reference_fits_two() -> None:
    entries = (patient(id="p1"), referring(QUESTION), doctor("d1"), doctor("d2"))
    with pytest.raises(InvalidBundle) as refused:
        Source.open(data(*entries))
    assert refused.value.problem == (
        "Practitioner?identifier=http%3A%2F%2Fhl7.org%2Ffhir%2Fsid%2Fus-npi%7C9999 fits both "
        "Practitioner/d1 and Practitioner/d2"
    )


def test_two_resources_may_share_an_identifier_when_nobody_asks_for_it() -> None:
    assert "Practitioner/d2" in read(patient(id="p1"), doctor("d1"), doctor("d2"))


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "POST", "url": "Practitioner", "ifNoneExist": f"identifier={NPI}|9999"},
        {"method": "PUT", "url": QUESTION},
    ],
)
def test_resource_gets_its_stable_name_when_it_is_made_under_a_condition(
    request_: dict[str, str],
) -> None:
    held = doctor()["resource"]
    del held["id"]
    made = {
        "fullUrl": "urn:uuid:0b6b8a1c-6a6e-4d0e-8f1c-0f6d3c0f7aff",
        "resource": held,
        "request": request_,
    }
    records = read(patient(id="p1"), referring(made["fullUrl"]), made)
    question = Condition.parse(QUESTION)
    assert question is not None
    name = f"Practitioner/{stable_id(question)}"
    assert records["Observation/o1"]["performer"][0]["reference"] == name
    assert records[name] == {**held, "id": stable_id(question)}


def test_resource_keeps_its_id_when_it_is_made_under_a_condition() -> None:
    made = {**doctor(), "request": {"method": "POST", "ifNoneExist": "identifier=1"}}
    assert "Practitioner/d1" in read(patient(id="p1"), made)


def test_references_are_rewritten_wherever_they_stand() -> None:
    holder = {"reference": PATIENT_URN, "type": "Patient"}
    entry = observation(
        id="o1",
        extension=[{"url": "https://x.example", "valueReference": holder}],
        contained=[{"resourceType": "Specimen", "id": "s", "subject": holder}],
        component=[{"extension": [{"extension": [{"valueReference": holder}]}]}],
    )
    record = read(patient(id="p1"), entry)["Observation/o1"]
    assert json.dumps(record).count('"Patient/p1"') == 4
    assert PATIENT_URN not in json.dumps(record)


def test_nothing_but_references_is_rewritten() -> None:
    entry = observation(
        id="o1",
        text={
            "status": "generated",
            "div": f'<a href="{PATIENT_URN}">{PATIENT_URN}</a>',
        },
        identifier=[{"system": "urn:ietf:rfc:3986", "value": PATIENT_URN}],
        instantiatesCanonical=[PATIENT_URN],
        extension=[{"url": PATIENT_URN, "valueUri": QUESTION}],
        note=[{"text": QUESTION}, {"reference": {"reference": [PATIENT_URN]}}],
    )
    record = read(patient(id="p1"), entry)["Observation/o1"]
    assert record == {**entry["resource"], "subject": {"reference": "Patient/p1"}}


def test_references_are_found_when_they_are_written_in_escapes() -> None:
    text = data(patient(id="p1"), observation(id="o1"))
    escaped = text.replace(
        f'"reference": "{PATIENT_URN}"'.encode(),
        b'"r\\u0065ference": "urn\\u003auuid:' + PATIENT_URN[9:].encode() + b'"',
    )
    assert escaped != text
    source = Source.open(escaped)
    record = next(each for each in source.resources("p1") if each.id == "o1")
    assert record.value["subject"] == {"reference": "Patient/p1"}


def test_same_file_gives_the_same_bytes_when_it_is_read_again() -> None:
    text = data(patient(), observation(performer=[{"reference": QUESTION}]))
    first, second = (
        [
            (each.record, each.canonical())
            for source in [Source.open(text)]
            for one in source.patients
            for each in source.resources(one)
        ]
        for _ in range(2)
    )
    assert first == second


def test_source_gives_the_same_when_it_is_asked_twice() -> None:
    source = Source.open(data(patient(id="p1"), observation(id="o1")))
    assert list(source.resources("p1")) == list(source.resources("p1"))


def test_stored_record_comes_back_unchanged_when_it_is_imported_again() -> None:
    source = Source.open(data(patient(id="p1"), referring(QUESTION)))
    lines = b"\n".join(each.canonical() for each in source.resources("p1"))
    again = Source.open(lines)
    assert b"\n".join(each.canonical() for each in again.resources("p1")) == lines
    assert parse(lines.split(b"\n")[0])
