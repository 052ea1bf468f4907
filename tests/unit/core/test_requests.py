"""A request says one thing, whoever reads it, and refuses to say what nobody could grant."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from eth_account import Account

from medaccord.core.canonical import document_bytes
from medaccord.core.errors import InvalidRequest, InvalidTerms
from medaccord.core.identifiers import AccountId, Digest, address
from medaccord.core.purposes import Purpose
from medaccord.core.requests import AccessRequest
from medaccord.core.scopes import Scope
from medaccord.core.terms import Terms
from medaccord.core.typed_data import OFF_CHAIN, Domain, recover

HOSPITAL_B_KEY = Account.from_key(b"\x0b" * 32)
HOSPITAL_A = AccountId(chain_id=1337, address=address("0x" + "a0" * 20))
HOSPITAL_B = AccountId(chain_id=1337, address=address(HOSPITAL_B_KEY.address))
PATIENT = AccountId(chain_id=1337, address=address("0x" + "99" * 20))
DOMAIN = Domain(name=OFF_CHAIN, chain_id=1337, contract=address("0x" + "c0" * 20))
NOW = datetime(2026, 11, 21, tzinfo=UTC)
BEYOND = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-14)))
"""Has no year in UTC."""

REQUEST = AccessRequest(
    requester=HOSPITAL_B,
    patient=PATIENT,
    steward=HOSPITAL_A,
    terms=Terms(
        stewards=(HOSPITAL_A,),
        scopes=(
            Scope.parse("patient/Observation.rs?category=laboratory"),
            Scope.parse("patient/MedicationRequest.rs"),
        ),
        purposes=(Purpose.TREAT,),
        salt=Digest(b"\x01" * 32),
    ),
    valid_from=NOW,
    valid_until=NOW + timedelta(days=30),
    issued_at=NOW,
    nonce=Digest(b"\x02" * 32),
)


def changed(**changes: object) -> AccessRequest:
    return replace(REQUEST, **changes)  # type: ignore[arg-type]  # names are checked by replace


def test_parse_of_the_document_is_the_identity() -> None:
    text = document_bytes(REQUEST.document())

    assert AccessRequest.parse(text) == REQUEST
    assert AccessRequest.parse(json.loads(text)) == REQUEST


def test_signature_recovers_to_the_requester() -> None:
    message = REQUEST.typed(DOMAIN)
    signature = bytes(HOSPITAL_B_KEY.sign_message(message.signable()).signature)

    assert recover(AccessRequest.parse(REQUEST.document()).typed(DOMAIN), signature) == (
        HOSPITAL_B.address
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"requester": replace(HOSPITAL_B, address=address("0x" + "b1" * 20))},
        {"patient": replace(PATIENT, address=address("0x" + "98" * 20))},
        {"terms": replace(REQUEST.terms, purposes=(Purpose.HRESCH,))},
        {"valid_from": NOW + timedelta(seconds=1)},
        {"valid_until": NOW + timedelta(seconds=1)},
        {"issued_at": NOW + timedelta(seconds=1)},
        {"nonce": Digest(b"\x03" * 32)},
    ],
    ids=lambda changes: "".join(changes),
)
def test_digest_changes_with_every_part(changes: dict[str, object]) -> None:
    assert changed(**changes).digest(DOMAIN) != REQUEST.digest(DOMAIN)


def test_sentence_asks_in_plain_words() -> None:
    assert REQUEST.sentence("Hospital B", {HOSPITAL_A: "Hospital A"}) == (
        "“Hospital B” asks to read your MedicationRequests and laboratory Observations kept by "
        "“Hospital A”, for treatment, from 21 November 2026 until 21 December 2026."
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"patient": replace(PATIENT, chain_id=1)}, "on different chains"),
        ({"patient": HOSPITAL_B}, "neither requester nor steward"),
        ({"patient": HOSPITAL_A}, "neither requester nor steward"),
        ({"steward": HOSPITAL_B}, "do not name the steward"),
        ({"valid_until": NOW}, "ends at"),
        ({"valid_from": NOW.replace(tzinfo=None)}, "valid_from has no timezone"),
        ({"issued_at": NOW.replace(microsecond=1)}, "issued_at is not in whole seconds"),
        ({"valid_from": datetime(1969, 1, 1, tzinfo=UTC)}, "valid_from is not in whole seconds"),
        ({"valid_until": BEYOND}, "valid_until is not in whole seconds"),
    ],
)
def test_request_refuses_what_no_consent_could_answer(
    changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(InvalidRequest, match=problem):
        changed(**changes)


def test_typed_refuses_the_domain_of_another_chain() -> None:
    with pytest.raises(InvalidRequest, match="for chain 1337, not 1"):
        REQUEST.typed(replace(DOMAIN, chain_id=1))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"profile": "medaccord/request/2"}, "the profile is"),
        ({"message": "please"}, "unknown members: message"),
        ({"nonce": 7}, "nonce"),
        ({"validFrom": "2026-11-21"}, "is not a time"),
        ({"requester": "Hospital B"}, "not an account"),
        ({"terms": "all"}, "terms of medaccord/request/1 is not an object"),
    ],
)
def test_parse_refuses_a_document_that_is_not_of_the_profile(
    changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(InvalidRequest, match=problem):
        AccessRequest.parse({**REQUEST.document(), **changes})


def test_parse_refuses_terms_that_are_not_of_their_profile() -> None:
    terms = {**REQUEST.terms.document(), "purposes": ["FUN"]}

    with pytest.raises(InvalidTerms, match="unknown purpose"):
        AccessRequest.parse({**REQUEST.document(), "terms": terms})
