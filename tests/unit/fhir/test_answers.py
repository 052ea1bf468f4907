"""An answer carries records byte for byte, and gives them back so."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.errors import InvalidDocument, InvalidInput
from medaccord.core.refusals import Refusal
from medaccord.fhir import (
    AnswerEntry,
    SearchSet,
    operation_outcome,
    parse_outcome,
    parse_searchset,
    read_bundle,
    searchset,
)
from medaccord.fhir.answers import RECEIPT_EXTENSION, RECORD_PROOF_EXTENSION
from tests.unit.fhir.samples import OWN_BUNDLE

SELF = "http://127.0.0.1:1/fhir/Observation?category=laboratory&_count=2"
RECORD = b'{"id":"o1","resourceType":"Observation","valueQuantity":{"value":1.00}}'
PROOF = {"profile": "medaccord/proof/1", "siblings": ["0x00"], "text": '"}],é\u2028\\'}
ENTRY = AnswerEntry(full_url="http://127.0.0.1:1/fhir/Observation/o1", record=RECORD, proof=PROOF)
ANSWER = SearchSet(
    entries=(ENTRY, replace(ENTRY, proof=None, mode="include")),
    total=7,
    self_url=SELF,
    next_url=f"{SELF}&_cursor=x",
    receipt={"profile": "medaccord/receipt/1", "number": 3},
)


def written(answer: SearchSet) -> bytes:
    return searchset(
        answer.entries,
        total=answer.total,
        self_url=answer.self_url,
        next_url=answer.next_url,
        receipt=answer.receipt,
    )


def test_searchset_holds_the_record_as_it_is() -> None:
    assert b'"resource":' + RECORD + b',"search"' in written(ANSWER)


def test_searchset_is_a_fhir_bundle() -> None:
    bundle = json.loads(written(ANSWER))

    assert (bundle["resourceType"], bundle["type"], bundle["total"]) == ("Bundle", "searchset", 7)
    assert bundle["link"] == [
        {"relation": "self", "url": SELF},
        {"relation": "next", "url": f"{SELF}&_cursor=x"},
    ]
    assert bundle["entry"][0]["search"] == {"mode": "match"}
    assert [extension["url"] for extension in bundle["entry"][0]["extension"]] == [
        RECORD_PROOF_EXTENSION
    ]
    assert json.loads(bundle["entry"][0]["extension"][0]["valueString"]) == PROOF
    assert bundle["meta"]["extension"][0]["url"] == RECEIPT_EXTENSION
    assert "extension" not in bundle["entry"][1]


def test_searchset_of_nothing_has_no_empty_array() -> None:
    bundle = json.loads(searchset([], total=0, self_url=SELF))

    assert bundle == {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": 0,
        "link": [{"relation": "self", "url": SELF}],
    }


def test_parse_searchset_gives_back_what_was_written() -> None:
    assert parse_searchset(written(ANSWER)) == ANSWER
    assert parse_searchset(searchset([], total=0, self_url=SELF)).entries == ()


def test_parse_searchset_gives_canonical_records_when_a_proxy_wrote_the_answer_anew() -> None:
    spaced = written(replace(ANSWER, next_url=None)).replace(
        RECORD, b'{ "valueQuantity": {"value": 1.00},\n "resourceType": "Observation", "id": "o1"}'
    )

    assert [entry.record for entry in parse_searchset(spaced).entries] == [RECORD, RECORD]


def test_parse_searchset_shows_a_number_that_was_written_anew() -> None:
    changed = written(ANSWER).replace(b"1.00", b"1.0")

    assert parse_searchset(changed).entries[0].record == RECORD.replace(b"1.00", b"1.0")


def test_searchset_carries_every_record_of_the_projects_own_bundle() -> None:
    records = [resource.canonical() for resource in read_bundle(OWN_BUNDLE.read_bytes()).resources]
    entries = [replace(ENTRY, record=record) for record in records]

    read = parse_searchset(searchset(entries, total=len(entries), self_url=SELF))

    assert [entry.record for entry in read.entries] == records


@given(st.text(max_size=20), st.integers(0, 2**53 - 1), st.dictionaries(st.text(), st.text()))
def test_parse_searchset_gives_back_any_text(
    text: str, number: int, document: dict[str, Any]
) -> None:
    answer = replace(
        ANSWER,
        entries=(replace(ENTRY, proof=document),),
        self_url=f"http://x/{text}",
        total=number + 1,
    )

    assert parse_searchset(written(answer)) == answer


@pytest.mark.parametrize(
    "record", [b"", b"{", b"[]", b'{"a":1},"b":{"c":2}', b'{"a":1}}', b'{"a":1,"a":2}', b"null"]
)
def test_searchset_refuses_a_record_that_would_break_out_of_its_place(record: bytes) -> None:
    with pytest.raises(InvalidDocument):
        searchset([replace(ENTRY, record=record)], total=1, self_url=SELF)


def test_searchset_refuses_a_total_below_what_it_shows() -> None:
    with pytest.raises(InvalidInput, match="the page has 1 matches, but the total is 0"):
        searchset([ENTRY], total=0, self_url=SELF)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b'"searchset"', b'"collection"', "no searchset Bundle"),
        (b'"total":7', b'"total":"7"', "has no total"),
        (b'"total":7', b'"total":-7', "has no total"),
        (b'"relation":"self"', b'"relation":"first"', "no link to itself"),
        (b'"meta":{', b'"meta":[],"x":{', "meta is no object"),
        (b'"mode":"match"', b'"mode":"outcome"', "neither match nor include"),
        (b'"resource":{', b'"other":{', "has no resource"),
        (b'"fullUrl"', b'"url"', "has no fullUrl"),
        (b'"entry":[', b'"entry":{},"x":[', "entry of the answer is no list"),
        (b'"valueString":"{', b'"valueString":"[{', "cut off|not JSON"),
        (b'"valueString"', b'"valueCode"', "holds no text"),
    ],
)
def test_parse_searchset_refuses_what_is_malformed(old: bytes, new: bytes, problem: str) -> None:
    with pytest.raises(InvalidDocument, match=problem):
        parse_searchset(written(ANSWER).replace(old, new))


def test_parse_searchset_refuses_two_proofs_for_one_record() -> None:
    extension = json.loads(written(ANSWER))["entry"][0]["extension"][0]
    bundle = json.loads(written(ANSWER))
    bundle["entry"][0]["extension"] = [extension, extension]

    with pytest.raises(InvalidDocument, match="stands there twice"):
        parse_searchset(json.dumps(bundle).encode())


@pytest.mark.parametrize("refusal", Refusal)
def test_outcome_carries_every_refusal(refusal: Refusal) -> None:
    outcome = parse_outcome(
        operation_outcome(issue="forbidden", code=refusal, diagnostics="Ask “again”.")
    )

    assert outcome.refusal is refusal
    assert (outcome.issue, outcome.diagnostics) == ("forbidden", "Ask “again”.")


def test_outcome_of_another_error_is_no_refusal() -> None:
    outcome = parse_outcome(
        operation_outcome(issue="invalid", code="InvalidRequest", diagnostics="no")
    )

    assert (outcome.code, outcome.refusal) == ("InvalidRequest", None)


def test_outcome_of_another_server_is_read_as_far_as_it_goes() -> None:
    outcome = parse_outcome(
        b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"throttled",'
        b'"details":{"coding":[{"system":"https://other.example","code":"no-consent"}]}}]}'
    )

    assert (outcome.issue, outcome.code, outcome.refusal) == ("throttled", "", None)


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b'{"resourceType":"OperationOutcome"}',
        b'{"resourceType":"OperationOutcome","issue":[]}',
        b'{"resourceType":"Patient","issue":[{}]}',
    ],
)
def test_parse_outcome_refuses_what_is_none(text: bytes) -> None:
    with pytest.raises(InvalidDocument, match="OperationOutcome"):
        parse_outcome(text)
