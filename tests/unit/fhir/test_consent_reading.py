"""A Consent is read back as what it says, or refused with all that cannot be expressed."""

from __future__ import annotations

import json
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaccord.core.errors import (
    CommitmentMismatch,
    InvalidDocument,
    InvalidIdentifier,
    InvalidResource,
)
from medaccord.core.identifiers import Digest
from medaccord.core.periods import DatePeriod
from medaccord.core.scopes import Scope
from medaccord.fhir.consent import (
    ADVANCED,
    StatedConsent,
    consent_resource,
)
from medaccord.fhir.consent_reading import read_consent, reopen_consent, terms_of
from tests.unit.fhir.consent_changes import add_rule, changed, label, permit, set_in_permit
from tests.unit.fhir.r4b import check_r4
from tests.unit.fhir.stated import NOON, STATED, any_stated, with_terms

SALT = STATED.terms.salt
FRESH = Digest(b"\x09" * 32)
FULL = replace(
    with_terms(
        excluded_labels=("R", "PSY"),
        records=("Observation/1", "Condition/2"),
        period=DatePeriod(start=date(2020, 1, 1), end=date(2020, 12, 31)),
        include_undated=True,
    ),
)


@given(any_stated())
def test_reading_what_was_written_is_the_identity(stated: StatedConsent) -> None:
    consent = consent_resource(stated)
    assert terms_of(consent, salt=stated.terms.salt) == stated.terms
    assert reopen_consent(consent, salt=stated.terms.salt) == stated
    assert read_consent(json.dumps(consent), salt=stated.terms.salt) == stated


@given(any_stated())
def test_terms_have_another_commitment_when_the_salt_is_fresh(stated: StatedConsent) -> None:
    terms = terms_of(consent_resource(stated), salt=FRESH)
    assert replace(terms, salt=stated.terms.salt) == stated.terms
    assert terms.commitment != stated.terms.commitment


# --- Nothing is passed over ---


def objects(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every object in a resource."""
    found = [path] if isinstance(value, dict) else []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, each in items:
        if isinstance(each, dict | list):
            found += objects(each, (*path, name))
    return found


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for name in path:
        value = value[name]
    return value


def named(path: tuple[str | int, ...]) -> str:
    return "Consent" + "".join(
        f"[{name}]" if isinstance(name, int) else f".{name}" for name in path
    )


WHOLE = consent_resource(FULL)
MEMBERS = st.sampled_from(
    ["extension", "modifierExtensions", "_status", "verification", "text2", "class", "id2"]
)


@given(st.sampled_from(objects(WHOLE)), MEMBERS, st.sampled_from([None, True, "a", {}, [], [{}]]))
def test_reading_names_a_member_when_it_is_put_anywhere(
    path: tuple[str | int, ...], member: str, value: object
) -> None:
    consent = deepcopy(WHOLE)
    at(consent, path)[member] = value
    with pytest.raises(InvalidResource) as refused:
        read_consent(consent, salt=SALT)
    assert refused.value.faults == {f"{named(path)}.{member}": "cannot be expressed"}


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every value in a resource that is no object and no list."""
    if not isinstance(value, dict | list):
        return [path]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [leaf for name, each in items for leaf in leaves(each, (*path, name))]


SAYS_NOTHING = {("id",)}


@given(
    st.sampled_from([path for path in leaves(WHOLE) if path not in SAYS_NOTHING]),
    st.sampled_from(["", "other", 7, {"a": 1}]),
)
def test_reading_says_something_else_or_refuses_when_a_value_is_another(
    path: tuple[str | int, ...], value: object
) -> None:
    consent = deepcopy(WHOLE)
    at(consent, path[:-1])[path[-1]] = value
    with suppress(InvalidResource):
        assert read_consent(consent, salt=SALT) != FULL


def nodes(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of everything in a resource."""
    found = [path] if path else []
    if isinstance(value, dict | list):
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            found += nodes(each, (*path, name))
    return found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "#a", "2026-01-01T00:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "start", "reference", "coding", "data", "identifier"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=4,
)


NOTHING: tuple[object, ...] = ("", 0, False, None, [], {})
PLAIN = [path for path in nodes(WHOLE) if path not in SAYS_NOTHING]


@given(st.sampled_from(PLAIN), st.sampled_from(NOTHING))
def test_reading_takes_nothing_as_absent_that_stands_there(
    path: tuple[str | int, ...], value: object
) -> None:
    consent = deepcopy(WHOLE)
    at(consent, path[:-1])[path[-1]] = value
    with suppress(InvalidResource):
        assert read_consent(consent, salt=SALT) != FULL


def test_reading_refuses_extensions_that_are_no_list_of_them() -> None:
    for value in NOTHING:
        with pytest.raises(InvalidResource) as refused:
            read_consent(changed(set_in_permit(modifierExtension=value)), salt=SALT)
        assert list(refused.value.faults) == ["Consent.provision.provision[0].modifierExtension"]


@given(st.sampled_from(nodes(WHOLE)), JSON)
def test_reading_refuses_and_never_breaks_when_anything_stands_anywhere(
    path: tuple[str | int, ...], value: object
) -> None:
    consent = deepcopy(WHOLE)
    at(consent, path[:-1])[path[-1]] = value
    with suppress(InvalidResource):
        read_consent(consent, salt=SALT)


@given(st.sampled_from(objects(WHOLE)), st.data())
def test_reading_never_says_the_same_when_a_member_is_taken_away(
    path: tuple[str | int, ...], data: st.DataObject
) -> None:
    consent = deepcopy(WHOLE)
    member = data.draw(st.sampled_from(sorted(at(consent, path))))
    del at(consent, path)[member]
    says_nothing = {"id", "meta", "profile", "performer", "type", "sourceReference"}
    with suppress(InvalidResource):
        assert read_consent(consent, salt=SALT) != FULL or member in says_nothing


# --- What is no Consent, and no opened one ---


@pytest.mark.parametrize("kind", ["Patient", None])
def test_reading_refuses_another_resource(kind: object) -> None:
    with pytest.raises(InvalidResource) as refused:
        terms_of({"resourceType": kind}, salt=SALT)
    assert refused.value.faults == {"resourceType": f"is {kind!r}, not Consent"}


def test_reading_refuses_text_that_is_no_json() -> None:
    with pytest.raises(InvalidDocument, match="line 1"):
        terms_of("{", salt=SALT)


def test_reading_refuses_a_salt_when_it_has_not_32_bytes() -> None:
    with pytest.raises(InvalidIdentifier, match="not 32 bytes but 1"):
        terms_of(consent_resource(STATED), salt=Digest(b"\x01"))


def test_reopening_refuses_a_consent_when_its_source_is_other_terms() -> None:
    consent = changed(lambda c: c["provision"]["provision"][0]["purpose"][0].update(code="HRESCH"))
    with pytest.raises(CommitmentMismatch, match="its source names 0x"):
        reopen_consent(consent, salt=SALT)


def test_reopening_refuses_a_consent_when_it_names_no_source() -> None:
    with pytest.raises(CommitmentMismatch, match="names none"):
        reopen_consent(changed(lambda c: c.pop("sourceReference")), salt=SALT)


# --- What others may write otherwise ---


def test_reading_takes_a_consent_of_others_when_it_says_the_same() -> None:
    consent = changed(
        lambda c: c.update(
            id="1",
            language="en",
            meta={"versionId": "1", "lastUpdated": "2026-03-10T12:00:00Z", "source": "#a"},
            text={
                "status": "generated",
                "div": "<div xmlns='http://www.w3.org/1999/xhtml'>the same</div>",
            },
        )
    )
    consent["scope"]["coding"][0]["display"] = "Privacy Consent"
    consent["patient"]["display"] = "the patient"
    del consent["patient"]["type"]
    consent["identifier"].reverse()
    check_r4(consent)
    assert read_consent(consent, salt=SALT) == STATED


def test_reading_takes_the_window_when_it_is_in_another_time_zone() -> None:
    consent = changed(
        set_in_permit(
            period={"start": "2026-03-10T17:30:00+05:30", "end": "2026-04-09T17:29:59+05:30"}
        )
    )
    assert read_consent(consent, salt=SALT) == STATED


def test_plain_permit_covers_everything() -> None:
    consent = changed(lambda c: permit(c).pop("modifierExtension"))
    terms = terms_of(consent, salt=SALT)
    assert (terms.scopes, terms.include_undated) == ((Scope.parse("patient/*.rs"),), True)


def test_one_permit_may_name_several_records_and_one_deny_several_labels() -> None:
    records = [
        {"meaning": "instance", "reference": {"reference": name}}
        for name in ("Binary/2", "Binary/1")
    ]
    consent = changed(set_in_permit(data=records))
    denied = [label("ETHUD"), label("ETH"), label("PSY"), label("OPIOIDUD")]
    add_rule(type="deny", securityLabel=denied)(consent)
    consent["meta"] = {"profile": [ADVANCED]}
    terms = terms_of(consent, salt=SALT)
    assert terms.records == ("Binary/1", "Binary/2")
    assert terms.excluded_labels == ("ETH", "PSY")


def test_window_ends_a_second_after_the_last_that_is_included() -> None:
    stated = read_consent(consent_resource(STATED), salt=SALT)
    assert stated.valid_until == NOON + timedelta(days=30)
