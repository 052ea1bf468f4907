"""Resources in one Bundle: named by what they say, and in their order."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from medaccord.core.errors import InvalidDocument
from medaccord.fhir import collection, consent_resource
from tests.unit.fhir.r4b import resources_of
from tests.unit.fhir.stated import NOON, STATED, with_terms

CONSENTS = [consent_resource(each) for each in (STATED, with_terms(include_undated=True))]


def test_bundle_has_the_resources_in_their_order() -> None:
    assert resources_of(collection(CONSENTS, NOON)) == CONSENTS


def test_bundle_of_nothing_has_no_entries() -> None:
    assert resources_of(collection([], NOON)) == []


def test_resource_has_the_same_name_whenever_it_is_put_in_a_bundle() -> None:
    (entry,) = collection(CONSENTS[:1], NOON + timedelta(days=1))["entry"]
    assert entry == collection(CONSENTS, NOON)["entry"][0]


def test_bundle_is_refused_when_its_time_has_no_zone() -> None:
    with pytest.raises(InvalidDocument):
        collection(CONSENTS, datetime(2026, 1, 1))
