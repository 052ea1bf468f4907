"""Whatever stands in a search, the answer is one clear error, and leniency lets none of it by."""

from __future__ import annotations

import pytest

from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.desk import Desk, assert_refused


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_elements", "code"),
        ("date", "' OR 1=1 --"),
        ("code", "a\x00b"),
        ("code", "a\r\nSet-Cookie: x=y"),
        ("code", "," * 10_000),
        ("_id", "../1'; DROP TABLE record_index; --"),
        ("status", "x" * 20_000),
    ],
)
def test_search_is_refused_with_one_clear_error_when_a_value_is_hostile(
    desk: Desk, patient: LocalSigner, name: str, value: str
) -> None:
    lenient = desk.sign_in(patient) | {"Prefer": "handling=lenient"}
    form = {"patient": desk.account(patient), name: value}
    answer = desk.http.post("/fhir/Observation/_search", data=form, headers=lenient)
    assert_refused(answer, 400, "InvalidRequest")
    (issue,) = answer.json()["issue"]
    assert issue["diagnostics"].isprintable()
    assert len(issue["diagnostics"]) < 500
