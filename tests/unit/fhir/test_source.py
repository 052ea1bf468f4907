"""A file of many patients is read whole before anything of it is used, and given out by patient."""

import json
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medaccord.core.canonical import MAX_DEPTH, Number
from medaccord.core.errors import InvalidBundle, InvalidInput
from medaccord.fhir import Source, parse_searchset, searchset
from medaccord.fhir.answers import AnswerEntry
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

# ---- what is read


@FORMS
def test_resources_are_given_by_patient_in_the_order_of_the_file(form: Form) -> None:
    data = form(
        made("Observation/1", subject=to("Patient/berta")),
        made("Practitioner/p"),
        ANNA,
        made("Condition/2", subject=to("Patient/anna")),
        made("Observation/3", subject=to("Patient/berta")),
        made("Location/l"),
        BERTA,
    )
    assert parts(data) == {
        "berta": ["Observation/1", "Observation/3", "Patient/berta"],
        "anna": ["Patient/anna", "Condition/2"],
        "": ["Practitioner/p", "Location/l"],
    }
    assert Source.open(data).patients == ("berta", "anna")


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
def test_source_reads_any_buffer(buffer: Callable[[bytes], bytes]) -> None:
    source = Source.open(
        buffer(collection(ANNA, made("Observation/1", subject=to("Patient/anna"))))
    )
    assert [each.record for each in source.resources("anna")] == ["Patient/anna", "Observation/1"]


def test_source_reads_a_mapped_file_and_lets_it_be_closed(tmp_path: Path) -> None:
    file = tmp_path / "resources.ndjson"
    file.write_bytes(ndjson(ANNA, made("Observation/1", subject=to("Patient/anna"))))
    with file.open("rb") as held, mmap.mmap(held.fileno(), 0, access=mmap.ACCESS_READ) as data:
        assert len(list(Source.open(data).resources("anna"))) == 2


def test_source_reads_one_resource_by_itself_however_it_is_laid_out() -> None:
    resource = made("List/1", subject=to("Patient/anna"), entry=[{"item": to("Patient/anna")}])
    for text in (json.dumps(resource), json.dumps(resource, indent=2), f"\n{json.dumps(resource)}"):
        assert parts(text.encode()) == {"anna": ["List/1"], "": []}


def test_source_reads_a_file_of_the_directory_alone() -> None:
    assert parts(ndjson(made("Practitioner/1"), made("Organization/2"))) == {
        "": ["Practitioner/1", "Organization/2"]
    }


def test_source_takes_blank_lines_and_windows_line_ends() -> None:
    data = b"\r\n\r\n" + ndjson(ANNA, BERTA).replace(b"\n", b"\r\n \r\n")
    assert list(parts(data)) == ["anna", "berta", ""]


def test_source_keeps_numbers_as_written() -> None:
    data = ndjson(
        ANNA, made("Observation/1", subject=to("Patient/anna"), valueQuantity={"value": 7})
    )
    source = Source.open(data.replace(b'"value": 7', b'"value": 1.00'))
    *_, observation = source.resources("anna")
    assert observation.value["valueQuantity"] == {"value": Number("1.00")}


def test_source_says_so_when_it_is_asked_for_somebody_else() -> None:
    with pytest.raises(InvalidInput, match=r"x\.json holds nothing of a patient 'berta'"):
        Source.open(collection(ANNA), name="x.json").resources("berta")


def test_source_says_so_when_the_file_was_changed_meanwhile() -> None:
    data = bytearray(collection(ANNA, made("Observation/1", subject=to("Patient/anna"))))
    source = Source.open(data)
    data[data.rindex(b'"1"') + 1] = ord("2")
    with pytest.raises(InvalidBundle, match="the file was changed while it was read"):
        list(source.resources("anna"))


def test_source_says_so_when_a_resource_became_anothers_meanwhile() -> None:
    """It was found to be Anna's, and would be filed as hers."""
    emma = {"resourceType": "Patient", "id": "emma"}
    data = bytearray(ndjson(ANNA, emma, made("Observation/1", subject=to("Patient/anna"))))
    source = Source.open(data)
    place = data.rindex(b"anna")
    data[place : place + 4] = b"emma"
    with pytest.raises(InvalidBundle, match="the file was changed while it was read"):
        list(source.resources("anna"))


def test_errors_name_the_file_when_it_has_a_name() -> None:
    assert refusal(b"", name="x.json") == "x.json is empty"
    assert refusal(b"{", name="x.json").startswith("x.json cannot be read: the text is cut off")
    assert refusal(collection(), name="x.json") == "x.json: the Bundle has no entries"
    stray = made("Observation/1", subject=to("Group/1"))
    assert refusal(collection(stray), name="x.json").startswith(
        "x.json: entry 1 (Observation/1) is"
    )


# ---- what is in no order


@FORMS
def test_file_is_refused_when_a_name_stands_there_twice(form: Form) -> None:
    assert "Patient/anna stands in the " in refusal(form(ANNA, ANNA))


def test_file_is_refused_when_a_line_has_no_id() -> None:
    assert (
        refusal(ndjson(ANNA, {"resourceType": "Observation"})) == "line 2 (Observation) has no id"
    )


@pytest.mark.parametrize("kind", [None, "Nonsense", 7])
def test_file_is_refused_when_a_line_is_of_no_known_type(kind: object) -> None:
    assert refusal(ndjson(ANNA, {"resourceType": kind, "id": "1"})) == (
        f"line 2 has no resourceType of FHIR R4, but {json.dumps(kind)}"
    )


def test_file_is_refused_when_a_line_is_a_bundle() -> None:
    assert refusal(ndjson(ANNA, made("Bundle/1"))) == (
        "line 2 is a Bundle itself; take its entries out"
    )


@pytest.mark.parametrize("line", [b"[]", b"1", b"null", b'"text"'])
def test_file_is_refused_when_a_line_is_no_object(line: bytes) -> None:
    assert refusal(ndjson(ANNA, BERTA) + line) == "line 3 is no resource"


# ---- depth: what is taken in can be given out


def nested(levels: int) -> Made:
    value: Any = "deep"
    for _ in range(levels):
        value = {"extension": value}
    return {**ANNA, "extension": value}


@FORMS
def test_deepest_record_that_is_taken_in_can_be_released(form: Form) -> None:
    (record,) = Source.open(form(nested(MAX_DEPTH - 4))).resources("anna")
    entry = AnswerEntry(full_url="https://a.example/anna", record=record.canonical())
    assert parse_searchset(searchset([entry], total=1, self_url="x")).entries == (entry,)


@FORMS
def test_file_is_refused_when_a_record_is_deeper_than_can_be_released(form: Form) -> None:
    assert "nested more than" in refusal(form(nested(MAX_DEPTH - 3)))
