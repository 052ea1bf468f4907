"""Parameters resources are read as what they say, or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from medaccord.core.errors import InvalidRequest
from medaccord.fhir.parameters import read_parameters, resource_of, simple_pairs


def body(*parameters: Any) -> bytes:
    return json.dumps({"resourceType": "Parameters", "parameter": list(parameters)}).encode()


def test_pairs_are_as_an_address_would_have_them_when_simple() -> None:
    sent = body(
        {"name": "start", "valueDate": "2026-01"},
        {"name": "_count", "valueInteger": 10},
        {"name": "certain", "valueBoolean": True},
    )
    assert simple_pairs(sent) == [("start", "2026-01"), ("_count", "10"), ("certain", "true")]


def test_pairs_are_none_when_there_are_no_parameters() -> None:
    assert simple_pairs(b'{"resourceType":"Parameters"}') == []


@pytest.mark.parametrize(
    "parameter",
    [
        {"name": "start"},
        {"name": "start", "valueDate": "2026", "valueString": "2026"},
        {"name": "start", "valueDate": ["2026"]},
        {"name": "start", "valuePeriod": {"start": "2026"}},
        {"name": "start", "part": [], "valueDate": "2026"},
    ],
)
def test_pairs_are_refused_when_a_value_is_not_simple(parameter: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="the parameter start has one simple value"):
        simple_pairs(body(parameter))


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"[]",
        b'{"resourceType":"Bundle"}',
        b'{"resourceType":"Parameters","parameter":{}}',
        b'{"resourceType":"Parameters","parameter":["start"]}',
        b'{"resourceType":"Parameters","parameter":[{"valueDate":"2026"}]}',
        b'{"resourceType":"Parameters","resourceType":"Parameters"}',
    ],
)
def test_parameters_are_refused_when_they_are_none(sent: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_parameters(sent)


def test_resource_is_the_one_of_its_name_when_there_is_one() -> None:
    parameters = read_parameters(
        body({"name": "resource", "resource": {"resourceType": "Patient", "id": "1"}})
    )
    assert resource_of(parameters, "resource", "Patient")["id"] == "1"


@pytest.mark.parametrize(
    "parameters",
    [
        [],
        [{"name": "resource", "resource": {"resourceType": "Group"}}],
        [{"name": "resource", "valueString": "Patient"}],
        [{"name": "resource", "resource": {"resourceType": "Patient"}}] * 2,
    ],
)
def test_resource_is_refused_when_there_is_not_one_of_its_type(parameters: list[Any]) -> None:
    with pytest.raises(InvalidRequest, match="the parameter resource"):
        resource_of(read_parameters(body(*parameters)), "resource", "Patient")
