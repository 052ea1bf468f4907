"""A record is marked by any code it holds that a table knows, and then counts as restricted."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from medaccord.core.errors import InvalidDocument
from medaccord.core.labels import (
    CONFIDENTIALITY_CODES,
    CONFIDENTIALITY_SYSTEM,
    SENSITIVITY_LABELS,
    SENSITIVITY_SYSTEM,
)
from medaccord.fhir import UNLABELLED, LabelTable, Resource, describe, read_bundle
from medaccord.fhir.label_table import COLUMNS, LabelRow
from tests.synthea import BUNDLES, needs_bundles

LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
ICD, ICD_CM = "http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-10-cm"
DEFAULT = LabelTable.default()
HIV = {"system": SNOMED, "code": "86406008"}
NORMAL = frozenset({"N", f"{CONFIDENTIALITY_SYSTEM}|N"})
HEADER = ",".join(COLUMNS)
SOURCES = r"VSAC 2\.16\.|WHO ICD-10 |ICD-10-CM chapter |LOINC; |SNOMED CT |US Core; "


def resource(**members: Any) -> Resource:
    value = {"resourceType": "Observation", "id": "1", **members}
    return Resource(type="Observation", id="1", value=value)


def marked(*codings: dict[str, Any], table: LabelTable = DEFAULT) -> set[str]:
    return set(table.labels_of(resource(code={"coding": list(codings)})))


def table(*lines: str) -> LabelTable:
    return LabelTable.parse("\n".join((HEADER, *lines)))


def tokens(labels: Iterable[str]) -> set[str]:
    return {token for label in labels for token in (label, f"{SENSITIVITY_SYSTEM}|{label}")}


# ---- the table that comes along


@pytest.mark.parametrize("row", DEFAULT.rows, ids=lambda row: f"{row.label}-{row.code}")
def test_default_row_marks_a_record_with_its_code(row: LabelRow) -> None:
    assert row.label in marked({"system": row.system, "code": row.code.removesuffix("*")})
    assert row.display
    assert re.match(
        r"VSAC 2\.16\.|WHO ICD-10 |ICD-10-CM chapter |LOINC; |SNOMED CT |US Core; ", row.source
    )


def test_default_table_covers_every_label_in_every_system() -> None:
    held = {(row.label, row.system) for row in DEFAULT.rows}
    assert {system for _, system in held} == {LOINC, SNOMED, ICD, ICD_CM}
    assert {label for label, _ in held} == SENSITIVITY_LABELS
    missing = {(a, b) for a in SENSITIVITY_LABELS for b in (LOINC, SNOMED, ICD, ICD_CM)} - held
    assert missing == {("OPIOIDUD", LOINC)}


def test_default_codes_have_the_form_of_their_system() -> None:
    forms = {
        LOINC: r"[0-9]{1,6}-[0-9]",
        SNOMED: r"[1-9][0-9]{5,17}",
        ICD: r"[A-Z][0-9]([0-9](\.[0-9])?)?\*",
        ICD_CM: r"[A-Z][0-9]([0-9A-Z](\.[0-9]{1,2})?)?\*",
    }
    for row in DEFAULT.rows:
        assert re.fullmatch(forms[row.system], row.code), row


def test_default_codes_have_right_check_digits() -> None:
    for row in DEFAULT.rows:
        if row.system == LOINC:
            number, check = row.code.split("-")
            assert luhn(number) == int(check), row
        if row.system == SNOMED:
            assert verhoeff(row.code) == 0, row


def luhn(number: str) -> int:
    total = 0
    for at, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if at % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return -total % 10


def verhoeff(number: str) -> int:
    """The check of SNOMED CT identifiers: zero if the last digit is right."""
    dihedral = [[(a + b) % 5 if a < 5 and b < 5 else 0 for b in range(10)] for a in range(10)]
    for a in range(10):
        for b in range(10):
            left, right = a % 5, b % 5
            turned = (left - right if a >= 5 else left + right) % 5
            dihedral[a][b] = turned + (5 if (a >= 5) != (b >= 5) else 0)
    step = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]
    permuted = [list(range(10))]
    for _ in range(7):
        permuted.append([step[each] for each in permuted[-1]])
    check = 0
    for at, digit in enumerate(reversed(number)):
        check = dihedral[check][permuted[at % 8][int(digit)]]
    return check


@pytest.mark.parametrize(
    ("system", "code", "labels"),
    [
        (ICD_CM, "F32.1", {"PSY"}),
        (ICD_CM, "F321", {"PSY"}),
        (ICD, "f32.1", {"PSY"}),
        (ICD_CM, "F11.20", {"OPIOIDUD"}),
        (ICD_CM, "F52.21", {"PSY", "SEX"}),
        (ICD, "B20", {"HIV"}),
        (ICD_CM, "B20", {"HIV"}),
        (ICD_CM, "O98.719", {"HIV"}),
        (ICD, "F17.2", set()),
        (ICD, "F00.1", set()),
        (ICD, "Z3", set()),
        (ICD, "I10", set()),
        (SNOMED, "864060089", set()),
        (SNOMED, "8640600", set()),
        (LOINC, "86406008", set()),
        (LOINC, "2160-0", set()),
        ("urn:oid:2.16.840.1.113883.6.96", "86406008", {"HIV"}),
        ("urn:oid:2.16.840.1.113883.6.90", "F20.0", {"PSY"}),
        ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "F20.0", {"PSY"}),
        ("https://elsewhere.example", "F20.0", set()),
    ],
)
def test_default_table_marks_by_code_and_system(system: str, code: str, labels: set[str]) -> None:
    assert marked({"system": system, "code": code}) == labels


@pytest.mark.parametrize(
    "system",
    [
        "https://snomed.info/sct",
        "http://snomed.info/sct/",
        "HTTP://SNOMED.info/SCT",
        " http://snomed.info/sct\n",
        "http://snomed.info/sct|http://snomed.info/sct/900000000000207008",
        "http://snomed.info/sct/900000000000207008/version/20240301",
        "URN:OID:2.16.840.1.113883.6.96",
    ],
)
def test_default_table_marks_when_the_system_is_written_a_little_wrong(system: str) -> None:
    assert marked({"system": system, "code": "86406008"}) == {"HIV"}


@pytest.mark.parametrize(
    "coding", [{"code": "86406008"}, {"system": SNOMED}, {"system": 1, "code": 2}]
)
def test_coding_marks_nothing_when_a_part_of_it_is_missing(coding: dict[str, Any]) -> None:
    assert marked(coding) == set()


@pytest.mark.parametrize(
    "members",
    [
        {"code": {"coding": [{"system": LOINC, "code": "1-8"}, HIV]}},
        {"category": [{"coding": [HIV]}]},
        {"component": [{"code": {"coding": [HIV]}}]},
        {"component": [{"valueCodeableConcept": {"coding": [HIV]}}]},
        {"reasonCode": [{"coding": [HIV]}]},
        {"diagnosis": [{"diagnosisCodeableConcept": {"coding": [HIV]}}]},
        {"contained": [{"resourceType": "Condition", "code": {"coding": [HIV]}}]},
        {"extension": [{"extension": [{"valueCoding": HIV}]}]},
        {"item": [{"item": [{"answer": [{"valueCoding": HIV}]}]}]},
    ],
)
def test_record_is_marked_wherever_the_code_stands(members: dict[str, Any]) -> None:
    assert DEFAULT.labels_of(resource(**members)) == {"HIV"}


def test_record_has_every_label_that_its_codes_bring() -> None:
    assert marked(HIV, {"system": ICD_CM, "code": "F52.21"}) == {"HIV", "PSY", "SEX"}


# ---- what a descriptor makes of it


@pytest.mark.parametrize("unlabelled", [UNLABELLED, NORMAL, frozenset()])
def test_marked_record_counts_as_restricted_whatever_the_steward_says_of_others(
    unlabelled: frozenset[str],
) -> None:
    record = resource(code={"coding": [HIV]})
    about = describe(record, unlabelled=unlabelled, labels=DEFAULT)
    assert about.labels == tokens({"HIV"}) | UNLABELLED


def test_marked_record_counts_as_very_restricted_when_the_steward_says_so_of_all() -> None:
    record = resource(code={"coding": [HIV]})
    about = describe(record, unlabelled=frozenset({"V"}), labels=DEFAULT)
    assert about.labels == tokens({"HIV"}) | {"V"}


@pytest.mark.parametrize("code", sorted(CONFIDENTIALITY_CODES))
def test_marked_record_keeps_the_confidentiality_that_it_names_itself(code: str) -> None:
    record = resource(code={"coding": [HIV]}, meta={"security": [{"code": code}]})
    assert describe(record, labels=DEFAULT).labels == tokens({"HIV"}) | {code}


def test_marked_record_keeps_its_own_labels_too() -> None:
    record = resource(code={"coding": [HIV]}, meta={"security": [{"code": "PSY"}]})
    about = describe(record, unlabelled=NORMAL, labels=DEFAULT)
    assert about.labels == tokens({"HIV"}) | {"PSY"} | UNLABELLED


def test_record_counts_as_the_steward_says_when_no_code_of_it_is_in_the_table() -> None:
    assert describe(resource(), unlabelled=NORMAL, labels=DEFAULT).labels == NORMAL


def test_record_is_not_marked_when_no_table_is_given() -> None:
    assert describe(resource(code={"coding": [HIV]})).labels == UNLABELLED


# ---- a steward's own


def test_own_table_marks_what_it_says() -> None:
    own = table("https://h.example/codes,17,PSY,a ward,our own list", "# and no more", "")
    coding = {"system": "https://h.example/codes", "code": "17"}
    assert marked(coding, table=own) == {"PSY"}
    assert marked(coding, HIV, table=own) == {"PSY"}
    assert marked(coding, HIV, table=own | DEFAULT) == {"PSY", "HIV"}
    assert (DEFAULT | DEFAULT).rows == DEFAULT.rows


def test_own_table_marks_when_the_file_writes_its_system_in_another_way() -> None:
    own = table("https://H.example/Codes/,17,PSY,a ward,our own list")
    assert marked({"system": "http://h.example/codes", "code": "17"}, table=own) == {"PSY"}
    assert own.rows[0].system == "https://H.example/Codes/"


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["a,b"], "line 2 of the label table: there are 2 columns, not 5"),
        (
            [f"{LOINC},1-8,HIV,x,y,z"],
            "line 2 of the label table: there are 6 columns, not 5",
        ),
        (
            ["", f"{LOINC},1-8,COLD,x,y"],
            "line 3 of the label table: unknown label 'COLD'; known are ETH, ETHUD, HIV, OPIOIDUD, "
            "PSY, SDV, SEX, STD",
        ),
        ([f"{LOINC},1-8,R,x,y"], "line 2 of the label table: unknown label 'R'"),
        (["loinc,1-8,HIV,x,y"], "line 2 of the label table: the system is no URI: 'loinc'"),
        ([f"{ICD},*,HIV,x,y"], "line 2 of the label table: not a code, nor the beginning of one"),
        ([f"{ICD},B*0,HIV,x,y"], "line 2 of the label table: not a code, nor the beginning of one"),
        ([f"{ICD},,HIV,x,y"], "line 2 of the label table: not a code, nor the beginning of one"),
        ([f"{SNOMED},86*,HIV,x,y"], "line 2 of the label table: only codes of ICD-10 begin alike"),
        ([f"{LOINC},1-8,HIV,x,"], "line 2 of the label table: 1-8 has no source"),
        (
            [f"{LOINC},1-8,HIV,x,y", f"{LOINC},1-8,HIV,z,y"],
            "line 3 of the label table: 1-8 is labelled HIV twice",
        ),
        ([f'{LOINC},1-8,HIV,"x,y'], "line 2 of the label table: unexpected end of data"),
    ],
)
def test_table_is_refused_with_the_line_that_is_wrong(lines: list[str], problem: str) -> None:
    with pytest.raises(InvalidDocument) as refused:
        table(*lines)
    assert refused.value.problem.startswith(problem)


def test_table_is_refused_when_its_columns_are_others() -> None:
    with pytest.raises(InvalidDocument, match="line 1 of the label table: the columns are not"):
        LabelTable.parse("system,code,label\n")


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n"])
def test_table_is_refused_when_it_is_empty(text: str) -> None:
    with pytest.raises(InvalidDocument, match="the label table is empty"):
        LabelTable.parse(text)


# ---- real records


@needs_bundles
def test_default_table_marks_what_synthea_holds() -> None:
    found: Counter[tuple[str, str]] = Counter()
    for file in BUNDLES:
        for each in read_bundle(file.read_bytes()).resources:
            for label in DEFAULT.labels_of(each):
                found[label, each.type] += 1
    assert found == {
        ("SEX", "Claim"): 7,
        ("SEX", "Condition"): 2,
        ("SEX", "Encounter"): 13,
        ("SEX", "ExplanationOfBenefit"): 7,
        ("SEX", "Procedure"): 5,
    }
