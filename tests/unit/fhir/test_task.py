"""A request in FHIR asks the patient to make a proposed Consent active."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from medaccord.core.consent_status import ConsentStatus
from medaccord.core.errors import InvalidInput, InvalidRequest
from medaccord.core.identifiers import Digest, hex_digest
from medaccord.core.requests import AccessRequest
from medaccord.core.typed_data import OFF_CHAIN, Domain
from medaccord.fhir.consent_reading import reopen_consent
from medaccord.fhir.naming import REQUEST_SYSTEM, consent_name
from medaccord.fhir.task import request_task
from tests.unit.fhir import pcf
from tests.unit.fhir.r4b import check_r4
from tests.unit.fhir.stated import CLINIC, CONSENT_ID, CONTRACT, HOSPITAL, NOON, PATIENT, STATED

DOMAIN = Domain(name=OFF_CHAIN, chain_id=1337, contract=CONTRACT.address)
REQUEST = AccessRequest(
    requester=CLINIC,
    patient=PATIENT,
    steward=HOSPITAL,
    terms=STATED.terms,
    valid_from=NOON,
    valid_until=NOON + timedelta(days=30),
    issued_at=NOON - timedelta(days=1),
    nonce=Digest(b"\x02" * 32),
)
PROPOSED = ConsentStatus.PROPOSED


def task(**arguments: Any) -> dict[str, Any]:
    return request_task(REQUEST, DOMAIN, **{"status": PROPOSED, **arguments})


STATES: list[tuple[dict[str, Any], str, str]] = [
    ({}, "requested", "proposed"),
    ({"status": ConsentStatus.REJECTED}, "rejected", "rejected"),
    ({"status": ConsentStatus.INACTIVE}, "cancelled", "inactive"),
    ({"status": ConsentStatus.ACTIVE, "consent_id": CONSENT_ID}, "completed", "proposed"),
    ({"status": ConsentStatus.INACTIVE, "consent_id": CONSENT_ID}, "completed", "proposed"),
]


@pytest.mark.parametrize(("arguments", "status", "proposal"), STATES)
def test_task_tells_how_far_the_request_has_come(
    arguments: dict[str, Any], status: str, proposal: str
) -> None:
    made = task(changed_at=NOON, **arguments)
    check_r4(made)
    (consent,) = made["contained"]
    check_r4(consent)
    pcf.check(consent)
    assert (made["status"], made["intent"], consent["status"]) == (status, "proposal", proposal)
    assert made["focus"]["reference"] == f"#{consent['id']}"


def test_task_names_who_asks_and_who_decides() -> None:
    made = task()
    assert made["requester"]["identifier"]["value"] == str(CLINIC)
    assert made["owner"] == made["for"]
    assert made["owner"]["identifier"]["value"] == str(PATIENT)
    assert made["authoredOn"] == "2026-03-09T12:00:00.000000Z"


def test_task_is_named_by_the_digest_of_the_request() -> None:
    digest = REQUEST.digest(DOMAIN)
    made = task()
    assert made["id"] == digest.hex()
    assert made["identifier"] == [{"system": REQUEST_SYSTEM, "value": hex_digest(digest)}]


def test_task_holds_all_that_is_asked_for() -> None:
    stated = reopen_consent(task()["contained"][0], salt=REQUEST.terms.salt)
    assert (stated.terms, stated.grantee, stated.patient) == (REQUEST.terms, CLINIC, PATIENT)
    assert (stated.valid_from, stated.valid_until) == (REQUEST.valid_from, REQUEST.valid_until)
    assert (stated.issued_at, stated.request) == (REQUEST.issued_at, REQUEST.digest(DOMAIN))


def test_task_names_the_consent_that_answers_it() -> None:
    assert "output" not in task()
    (output,) = task(consent_id=CONSENT_ID)["output"]
    name = consent_name(CONTRACT, CONSENT_ID)
    assert output["valueReference"]["identifier"]["value"] == name


def test_task_is_refused_when_it_is_active_by_no_consent() -> None:
    with pytest.raises(InvalidInput, match="by a consent that answers it"):
        task(status=ConsentStatus.ACTIVE)


def test_task_is_refused_when_it_changed_before_it_was_made() -> None:
    with pytest.raises(InvalidInput, match="after 1999-01-01"):
        task(changed_at=datetime(1999, 1, 1, tzinfo=UTC))


def test_task_is_refused_when_the_domain_is_of_another_chain() -> None:
    elsewhere = Domain(name=OFF_CHAIN, chain_id=1, contract=CONTRACT.address)
    with pytest.raises(InvalidRequest, match="for chain 1337, not 1"):
        request_task(REQUEST, elsewhere, status=PROPOSED)
