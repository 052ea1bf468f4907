"""SMART Backend Services: signing in by a key in force, once, for as long as it is in force."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from medaccord.chain import Contracts, Sender, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.purposes import PURPOSE_SYSTEM, Purpose
from medaccord.core.refusals import Refusal
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper import recovering
from tests.integration.gatekeeper.backend_system import BackendSystem, assert_no_token
from tests.integration.gatekeeper.conftest import World
from tests.integration.gatekeeper.desk import Desk, assert_refused, ids_of
from tests.integration.gatekeeper.organisations import reinstate, suspend

LABORATORY = "patient/Observation.rs?category=laboratory"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP384R1())
OTHER = ec.generate_private_key(ec.SECP384R1())


@pytest.fixture
def unknown(
    desk: Desk, contracts: Contracts, sender: Sender, clinician: LocalSigner
) -> BackendSystem:
    """A system of the clinic, whose key no profile names yet."""
    return BackendSystem(
        desk=desk, contracts=contracts, sender=sender, organisation=clinician, key=EC
    )


@pytest.fixture
def system(unknown: BackendSystem) -> BackendSystem:
    """A system of the clinic, whose key is in the profile in force."""
    unknown.publish(unknown.profile())
    return unknown


# --- What is given ---


@pytest.mark.parametrize(("algorithm", "key"), [("RS384", RSA), ("ES384", EC)])
def test_system_reads_when_it_signs_in_by_what_the_configuration_says(
    unknown: BackendSystem,
    desk: Desk,
    patient: LocalSigner,
    clinician: LocalSigner,
    laboratory: list[str],
    algorithm: str,
    key: Any,
) -> None:
    unknown.key = key
    unknown.publish(unknown.profile())
    desk.grant(patient, clinician, LABORATORY)

    told = desk.http.get("/.well-known/smart-configuration")
    assert desk.http.get("/fhir/.well-known/smart-configuration").json() == told.json()
    assert told.headers["content-type"] == "application/json"
    known = told.json()
    assert known == {
        "token_endpoint": f"{desk.url}/token",
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
        "scopes_supported": ["system/*.rs"],
        "capabilities": ["client-confidential-asymmetric", "permission-v2"],
    }
    assert algorithm in known["token_endpoint_auth_signing_alg_values_supported"]
    answer = desk.http.post(
        known["token_endpoint"],
        data={
            "grant_type": known["grant_types_supported"][0],
            "scope": known["scopes_supported"][0],
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": jwt.encode(
                unknown.claims(aud=known["token_endpoint"]), key, algorithm, {"kid": "key-1"}
            ),
        },
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    bearer = body.pop("access_token")
    assert body == {
        "token_type": "bearer",
        "expires_in": 600,
        "scope": "system/*.rs",
        "purpose_of_use": "TREAT",
    }
    assert answer.headers["cache-control"] == "no-store"
    headers = {"Authorization": f"Bearer {bearer}"}
    assert sorted(ids_of(desk.get("Observation", headers, patient))) == laboratory


def test_token_is_for_the_purpose_that_the_assertion_names(system: BackendSystem) -> None:
    asked = {"version": "1", "purpose_of_use": [f"{PURPOSE_SYSTEM}#HRESCH"]}
    answer = system.ask(system.assertion(system.claims(extensions={"hl7-b2b": asked})))
    assert (answer.status_code, answer.json()["purpose_of_use"]) == (200, "HRESCH")


@pytest.mark.parametrize(
    "scope",
    [None, "system/Observation.rs", "system/Observation.r system/Condition.s?category=a"],
)
def test_scope_is_all_that_consents_allow_when_less_or_nothing_is_asked_for(
    system: BackendSystem, scope: str | None
) -> None:
    answer = system.ask(scope=scope)
    assert (answer.status_code, answer.json()["scope"]) == (200, "system/*.rs")


def test_system_signs_in_when_its_clock_is_half_a_minute_behind(system: BackendSystem) -> None:
    assert system.ask(system.assertion(system.claims(exp=-29))).status_code == 200


# --- What is refused ---


def test_assertion_is_refused_when_it_was_used_before(system: BackendSystem) -> None:
    assertion = system.assertion()
    assert system.ask(assertion).status_code == 200
    assert_no_token(system.ask(assertion), "invalid_client", "was used before")


def test_assertion_is_refused_when_another_with_its_jti_was_used(system: BackendSystem) -> None:
    assert system.ask(system.assertion(system.claims(jti="1"))).status_code == 200
    again = system.ask(system.assertion(system.claims(jti="1", exp=200)))
    assert_no_token(again, "invalid_client", "was used before")


def test_assertion_is_refused_when_nobody_signed(system: BackendSystem) -> None:
    unsigned = jwt.encode(system.claims(), "", "none", {"kid": "key-1"})
    assert_no_token(system.ask(unsigned), "invalid_client", "sign with RS384 or ES384")


def test_assertion_is_refused_when_another_key_signed(system: BackendSystem) -> None:
    assertion = system.assertion(key=OTHER)
    assert_no_token(system.ask(assertion), "invalid_client", "did not sign this assertion")


def test_assertion_is_refused_when_its_kid_selects_no_key(system: BackendSystem) -> None:
    answer = system.ask(system.assertion(kid="key-2"))
    assert_no_token(answer, "invalid_client", "has the kid 'key-2': hand in the profile")


def test_key_is_not_fetched_when_the_header_says_where_from(system: BackendSystem) -> None:
    assertion = system.assertion(key=OTHER, jku="http://127.0.0.1:1/jwks.json")
    assert_no_token(system.ask(assertion), "invalid_client", "did not sign this assertion")


def test_assertion_is_refused_when_it_is_for_another_gatekeeper(system: BackendSystem) -> None:
    elsewhere = system.claims(aud="https://elsewhere.example/token")
    assert_no_token(system.ask(system.assertion(elsewhere)), "invalid_client", "into aud")


def test_token_is_refused_when_the_purpose_is_not_one_we_know(system: BackendSystem) -> None:
    asked = {"hl7-b2b": {"purpose_of_use": ["MARKT"]}}
    answer = system.ask(system.assertion(system.claims(extensions=asked)))
    assert_no_token(answer, "invalid_grant", "a purpose_of_use is one of TREAT")


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"grant_type": None}, "invalid_request", "grant_type=client_credentials"),
        ({"grant_type": "password"}, "unsupported_grant_type", "client_credentials"),
        ({"client_assertion_type": "saml"}, "invalid_client", "client_assertion_type="),
        ({"client_assertion": None}, "invalid_client", "send a client_assertion"),
        ({"client_id": "clinic"}, "invalid_client", "the organisation's account, as iss"),
        ({"scope": "system/*.cruds"}, "invalid_scope", "'system/*.cruds' asks to write"),
        ({"scope": "system/*.rs openid"}, "invalid_scope", "scopes here are system/*.rs"),
    ],
)
def test_token_is_refused_when_a_field_is_not_what_it_must_be(
    system: BackendSystem, fields: dict[str, str | None], code: str, words: str
) -> None:
    assert_no_token(system.ask(**fields), code, words)


@pytest.mark.parametrize("body", ["grant_type=client_credentials&grant_type=password", "grant"])
def test_token_is_refused_when_the_form_is_malformed(desk: Desk, body: str) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert_no_token(desk.http.post("/token", content=body, headers=kind), "invalid_request", "send")


def test_token_is_refused_when_the_account_is_no_organisation(
    system: BackendSystem, stranger: LocalSigner
) -> None:
    named = system.desk.account(stranger)
    answer = system.ask(system.assertion(system.claims(iss=named, sub=named)))
    assert_no_token(answer, "invalid_client", f"{named} is no organisation of this network")


def test_token_is_refused_when_the_organisation_is_suspended(
    world: World, system: BackendSystem, clinician: LocalSigner
) -> None:
    suspend(world, clinician)
    assert_no_token(system.ask(), "invalid_client", "is suspended by the consortium")


def test_token_is_refused_when_the_profile_was_not_handed_in(unknown: BackendSystem) -> None:
    unknown.register(unknown.profile())
    assert_no_token(unknown.ask(), "invalid_client", "hand in the profile that the registry names")


# --- How long a token lives ---


def test_token_reads_on_when_the_new_profile_has_its_key_too(
    system: BackendSystem, desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = system.sign_in()
    system.publish(system.profile(OTHER, EC, serial=2))  # under another kid
    assert desk.get("Observation", headers, patient).status_code == 200


def test_token_is_refused_when_the_new_profile_lacks_its_key(
    system: BackendSystem, desk: Desk, patient: LocalSigner
) -> None:
    headers = system.sign_in()
    system.publish(system.profile(OTHER))
    answer = desk.get("Observation", headers, patient)
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)


def test_token_is_refused_when_the_chain_names_a_profile_that_nobody_handed_in(
    system: BackendSystem, desk: Desk, patient: LocalSigner
) -> None:
    headers = system.sign_in()
    system.register(system.profile(EC, serial=2))
    answer = desk.get("Observation", headers, patient)
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)
    assert system.hand_in(system.profile(EC, serial=2)).status_code == 200
    answer = desk.get("Observation", headers, patient)
    assert_refused(answer, 403, Refusal.NO_CONSENT)  # it is good again


def test_token_is_refused_when_a_recovery_of_the_organisation_is_pending(
    system: BackendSystem,
    desk: Desk,
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    clinician: LocalSigner,
    stranger: LocalSigner,
) -> None:
    headers = system.sign_in()
    recovering.start_recovery(
        contracts, sender, clinician, guardian=LocalSigner.create(), new_controller=stranger
    )
    answer = desk.get("Observation", headers, patient)
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)
    assert_no_token(system.ask(), "invalid_client", "no key in force")


def test_token_reads_nothing_while_the_organisation_is_suspended(
    world: World, system: BackendSystem, desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = system.sign_in()
    suspend(world, clinician)
    assert_refused(desk.get("Observation", headers, patient), 403, Refusal.SUSPENDED)
    reinstate(world, clinician)
    assert desk.get("Observation", headers, patient).status_code == 200


def test_token_is_refused_when_it_has_ended(
    system: BackendSystem, desk: Desk, chain: EmbeddedChain, patient: LocalSigner
) -> None:
    headers = system.sign_in()
    chain.advance(timedelta(minutes=10))
    answer = desk.get("Observation", headers, patient)
    assert_refused(answer, 401, Refusal.NOT_SIGNED_IN)


def test_revocation_is_obeyed_before_it_is_mined_when_a_system_reads(
    system: BackendSystem,
    desk: Desk,
    chain: EmbeddedChain,
    contracts: Contracts,
    patient: LocalSigner,
    clinician: LocalSigner,
) -> None:
    consent = desk.grant(patient, clinician, LABORATORY)
    headers = system.sign_in([Purpose.TREAT])
    assert desk.get("Observation", headers, patient).status_code == 200
    action = actions.revoke(contracts, patient=patient.address, consent_id=consent)
    with chain.mining_paused():
        assert desk.relay(action, patient, wait=False).status_code == 202
        assert_refused(desk.get("Observation", headers, patient), 403, Refusal.CONSENT_REVOKED)
