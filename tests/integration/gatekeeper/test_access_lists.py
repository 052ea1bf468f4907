"""Who can read, and what can be read: told to the patient, and to an organisation about itself."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from medaccord.chain import Contracts, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.emergency import EMERGENCY_SCOPES, EmergencyCode, EmergencyReason
from medaccord.core.identifiers import Digest, hex_digest
from medaccord.core.periods import DatePeriod
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.core.terms import Terms
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.conftest import World
from tests.integration.gatekeeper.desk import Desk, as_time, assert_refused, salt
from tests.integration.gatekeeper.organisations import suspend

LABORATORY = "patient/Observation.rs?category=laboratory"


def ask(
    desk: Desk, path: str, asker: LocalSigner, patient: LocalSigner, **parameters: str
) -> httpx.Response:
    query = {"patient": patient.address} | parameters
    return desk.http.get(f"/access/{path}", params=query, headers=desk.sign_in(asker))


def told(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["medaccord-block"] == answer.json()["consistencyToken"]
    found: dict[str, Any] = answer.json()
    return found


def emergency(desk: Desk, world: World) -> tuple[Digest, str]:
    """The clinic opens emergency access and hands in its reason; its id and end."""
    reason = EmergencyReason(code=EmergencyCode.UNCONSCIOUS, salt=salt())
    until = desk.now() + timedelta(hours=6)
    action = actions.open_emergency(
        world.contracts,
        patient=world.patient.address,
        grantee=world.clinician.address,
        reason=reason.commitment,
        valid_until=until,
    )
    actions.submit(world.sender, actions.signed(action, world.clinician))
    body = {
        "patient": world.patient.address,
        "emergency": hex_digest(action.digest),
        "reason": reason.document(),
    }
    headers = desk.sign_in(world.clinician)
    assert desk.http.post("/openings/emergency", json=body, headers=headers).status_code == 201
    return action.digest, as_time(until)


# --- Who can ---


def test_who_can_names_organisation_consent_scopes_and_end(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    until = as_time(desk.now() + timedelta(days=30))
    consent = desk.grant(patient, clinician, LABORATORY, "patient/Condition.r")
    answer = told(ask(desk, "who-can", patient, patient, resourceType="Observation"))
    (reader,) = answer["readers"]
    assert reader.pop("expiresAt") >= until
    assert reader == {
        "organisation": clinician.address,
        "basis": "consent",
        "restsOn": hex_digest(consent),
        "scopes": [LABORATORY],
    }


@pytest.mark.parametrize(
    "parameters",
    [
        {"resourceType": "Claim"},
        {"resourceType": "Condition", "interaction": "s"},
        {"resourceType": "Observation", "purpose": "HRESCH"},
    ],
)
def test_who_can_names_nobody_when_no_consent_covers_it(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, parameters: dict[str, str]
) -> None:
    desk.grant(patient, clinician, LABORATORY, "patient/Condition.r")
    assert told(ask(desk, "who-can", patient, patient, **parameters))["readers"] == []


def test_who_can_names_emergency_access_when_it_is_open(
    desk: Desk, world: World, patient: LocalSigner, clinician: LocalSigner
) -> None:
    opened, until = emergency(desk, world)
    answer = ask(desk, "who-can", patient, patient, resourceType="Condition", purpose="BTG")
    assert told(answer)["readers"] == [
        {
            "organisation": clinician.address,
            "basis": "emergency",
            "restsOn": hex_digest(opened),
            "scopes": ["patient/Condition.rs"],
            "expiresAt": until,
        }
    ]


def test_who_can_is_refused_when_an_organisation_asks_about_everybody(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    answer = ask(desk, "who-can", clinician, patient, resourceType="Observation")
    assert_refused(answer, 403, Refusal.MAY_NOT_ASK)


def test_who_can_is_refused_when_the_type_is_none(desk: Desk, patient: LocalSigner) -> None:
    answer = ask(desk, "who-can", patient, patient, resourceType="Secret")
    assert_refused(answer, 400, "InvalidRequest")


# --- What can ---


def test_what_can_tells_everything_that_a_consent_says(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    terms = Terms(
        stewards=(desk.contracts.account_id(desk.steward),),
        scopes=desk.terms(LABORATORY).scopes,
        purposes=(Purpose.HRESCH, Purpose.TREAT),
        period=DatePeriod(start=date(2020, 1, 1), end=None),
        excluded_labels=("HIV",),
        records=("Observation/1", "Observation/2"),
        salt=salt(),
    )
    action = desk.consent(patient, clinician, terms)
    assert desk.relay(action, patient, terms=terms).status_code == 200
    answer = told(ask(desk, "what-can", clinician, patient))
    (way,) = answer["ways"]
    way.pop("expiresAt")
    assert way == {
        "basis": "consent",
        "restsOn": hex_digest(action.digest),
        "scopes": [LABORATORY],
        "purposes": ["HRESCH", "TREAT"],
        "period": {"start": "2020-01-01", "end": None},
        "includeUndated": False,
        "excludedLabels": ["HIV"],
        "records": ["Observation/1", "Observation/2"],
    }
    assert (answer["organisation"], answer["patient"]) == (clinician.address, patient.address)
    assert answer["reason"]["code"] == "permitted"


def test_what_can_tells_the_same_to_the_patient_about_the_organisation(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    own = told(ask(desk, "what-can", clinician, patient))
    patients = told(ask(desk, "what-can", patient, patient, requester=clinician.address))
    assert own == patients
    assert own["ways"]


def test_what_can_tells_emergency_access_with_its_fixed_scope(
    desk: Desk, world: World, patient: LocalSigner, clinician: LocalSigner
) -> None:
    opened, until = emergency(desk, world)
    (way,) = told(ask(desk, "what-can", clinician, patient))["ways"]
    assert (way["basis"], way["restsOn"], way["expiresAt"]) == (
        *("emergency", hex_digest(opened)),
        until,
    )
    assert way["scopes"] == [str(each) for each in EMERGENCY_SCOPES]
    assert way["purposes"] == ["BTG", "ETREAT"]


def test_what_can_tells_nothing_and_why_when_the_consent_was_revoked(
    desk: Desk, contracts: Contracts, patient: LocalSigner, clinician: LocalSigner
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    revocation = actions.revoke(contracts, patient=patient.address, consent_id=consent)
    assert desk.relay(revocation, patient, wait=False).status_code == 202
    answer = told(ask(desk, "what-can", clinician, patient))
    assert (answer["ways"], answer["reason"]["code"]) == ([], "consent-revoked")


def test_what_can_tells_nothing_and_why_when_the_organisation_is_suspended(
    desk: Desk, world: World, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    suspend(world, clinician)
    answer = told(ask(desk, "what-can", patient, patient, requester=clinician.address))
    assert (answer["ways"], answer["reason"]["code"]) == ([], "suspended")


def test_what_can_tells_nothing_and_why_when_the_consent_is_over(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    chain.advance(timedelta(days=31))
    answer = told(ask(desk, "what-can", clinician, patient))
    assert (answer["ways"], answer["reason"]["code"]) == ([], "consent-ended")


def test_what_can_is_the_same_for_a_patient_without_consent_and_for_nobody(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    nobody = LocalSigner.create()
    known = told(ask(desk, "what-can", clinician, patient))
    unknown = told(ask(desk, "what-can", clinician, nobody))
    assert known | {"patient": ""} == unknown | {"patient": ""}
    assert known["reason"]["code"] == "no-consent"


def test_what_can_is_refused_when_an_organisation_asks_about_another(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, hospital: LocalSigner
) -> None:
    answer = ask(desk, "what-can", clinician, patient, requester=hospital.address)
    assert_refused(answer, 403, Refusal.MAY_NOT_ASK)


def test_what_can_is_refused_when_a_patient_asks_about_itself(
    desk: Desk, patient: LocalSigner
) -> None:
    assert_refused(ask(desk, "what-can", patient, patient), 400, "InvalidRequest")


def test_what_can_is_refused_when_the_patient_is_no_address(
    desk: Desk, clinician: LocalSigner
) -> None:
    headers = desk.sign_in(clinician)
    answer = desk.http.get("/access/what-can", params={"patient": "0x1"}, headers=headers)
    assert answer.status_code == 400, answer.text


def test_what_can_is_of_the_block_it_must_know(
    desk: Desk, chain: EmbeddedChain, patient: LocalSigner, clinician: LocalSigner
) -> None:
    headers = desk.sign_in(clinician)
    token = ConsistencyToken.of(desk.contracts.network.head())
    token = ConsistencyToken(chain_id=token.chain_id, number=token.number + 5, hash=token.hash)
    answer = desk.http.get(
        "/access/what-can",
        params={"patient": patient.address},
        headers=headers | {"Medaccord-At-Least": str(token)},
    )
    assert_refused(answer, 503, Refusal.LEDGER_BEHIND)
