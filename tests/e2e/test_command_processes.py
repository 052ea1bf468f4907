"""Commands of hospitals and patients as processes: what goes where, and how they end."""

from __future__ import annotations

import json

import pytest

from tests.e2e.ward import Ward

DONE = {
    ("b", "org", "list"): "organisations",
    ("b", "request", "list"): "requests",
    ("b", "emergency", "list"): "emergencies",
    ("patient", "records", "list", "--search", "Observation?category=laboratory"): "records",
    ("patient", "audit", "verify"): "anchored",
}

REFUSED = {
    ("b", "org", "show", "0x12"): 2,
    ("b", "request", "cancel", "0x12"): 2,
    ("b", "emergency", "match", "none.json"): 2,
    ("b", "records", "verify", "none.ndjson"): 2,
    ("stranger", "audit", "list"): 1,
}


@pytest.mark.parametrize("asked", DONE, ids=" ".join)
def test_command_prints_one_document_and_nothing_else(ward: Ward, asked: tuple[str, ...]) -> None:
    who, *arguments = asked
    ended = getattr(ward, who).person.process(*arguments, "--json")
    assert (ended.code, ended.errors) == (0, "")
    assert DONE[asked] in json.loads(ended.output)


@pytest.mark.parametrize("asked", REFUSED, ids=" ".join)
def test_command_ends_with_one_line_and_a_code(ward: Ward, asked: tuple[str, ...]) -> None:
    who, *arguments = asked
    ended = getattr(ward, who).person.process(*arguments)
    assert (ended.code, ended.output) == (REFUSED[asked], "")
    (line,) = ended.errors.splitlines()
    assert line.startswith("medaccord: ")
