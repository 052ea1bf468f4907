"""Records released sealed: wrapped to the grantee's key on chain, opened by it alone."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import Engine, select

from medaccord.chain import Contracts, Sender, actions
from medaccord.core.envelopes import Envelope, EnvelopeSet
from medaccord.core.errors import DecryptionFailed
from medaccord.core.identifiers import digest
from medaccord.core.proofs import verify_newest, verify_record
from medaccord.core.refusals import Refusal
from medaccord.fhir import read_bundle
from medaccord.gatekeeper import Gatekeeper
from medaccord.gatekeeper.fhir_requests import ENVELOPES
from medaccord.keys import LocalSigner
from medaccord.store import reading
from medaccord.store.tables import record_version
from tests.integration.conftest import PROFILE
from tests.integration.gatekeeper.conftest import BUNDLE
from tests.integration.gatekeeper.desk import Desk, assert_refused, receipt_of

LABORATORY = "patient/Observation.rs?category=laboratory"
SEALED = {"Accept": ENVELOPES}


@pytest.fixture
def key(contracts: Contracts, sender: Sender, clinician: LocalSigner) -> X25519PrivateKey:
    """The clinician's, published in the Registry."""
    made = X25519PrivateKey.generate()
    action = actions.publish(
        contracts,
        account=clinician.address,
        key=digest(made.public_key().public_bytes_raw()),
        profile=PROFILE,
    )
    actions.submit(sender, actions.signed(action, clinician))
    return made


def check(envelope: Envelope, key: X25519PrivateKey, gatekeeper: Gatekeeper) -> bytes:
    """Open an envelope as its receiver does, against the anchors on the chain."""
    opened = envelope.open(key.private_bytes_raw())
    anchors = gatekeeper.ledger.anchors(gatekeeper.steward, envelope.topic)
    verify_record(opened.record, opened.proof, anchors.__contains__)
    verify_newest(opened.proof, lambda anchor: anchor == anchors[-1])
    return opened.record


def test_read_gives_an_envelope_that_its_receiver_opens_and_verifies_when_asked(
    desk: Desk,
    gatekeeper: Gatekeeper,
    patient: LocalSigner,
    clinician: LocalSigner,
    key: X25519PrivateKey,
    laboratory: list[str],
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    name = f"Observation/{laboratory[0]}"
    answer = desk.get(name, desk.sign_in(clinician) | SEALED, patient)
    assert (answer.status_code, answer.headers["content-type"]) == (200, ENVELOPES)
    (wanted,) = [each for each in read_bundle(BUNDLE).resources if each.record == name]
    assert check(Envelope.parse(answer.content), key, gatekeeper) == wanted.canonical()
    entries = desk.audit(patient)["entries"]
    assert (entries[-1]["action"], entries[-1]["records"]) == ("read", [f"{name}/1"])
    assert receipt_of(answer).receipt.number == len(entries)


def test_vread_gives_an_envelope_when_asked(
    desk: Desk,
    gatekeeper: Gatekeeper,
    patient: LocalSigner,
    clinician: LocalSigner,
    key: X25519PrivateKey,
    laboratory: list[str],
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    name = f"Observation/{laboratory[0]}/_history/1"
    answer = desk.get(name, desk.sign_in(clinician) | SEALED, patient)
    assert check(Envelope.parse(answer.content), key, gatekeeper)


def test_search_gives_envelopes_by_pages_when_asked(
    desk: Desk,
    gatekeeper: Gatekeeper,
    patient: LocalSigner,
    clinician: LocalSigner,
    key: X25519PrivateKey,
    laboratory: list[str],
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician) | SEALED
    answer = desk.get("Observation", headers, patient, _count="4")
    page = EnvelopeSet.parse(answer.content)
    assert (page.total, len(page.envelopes)) == (len(laboratory), 4)
    assert page.next_url is not None
    rest = EnvelopeSet.parse(desk.http.get(page.next_url, headers=headers).content)
    assert (rest.total, rest.next_url) == (len(laboratory), None)
    found = [*page.envelopes, *rest.envelopes]
    assert [each.record for each in found] == [f"Observation/{each}" for each in laboratory]
    assert all(check(each, key, gatekeeper) for each in found)


def test_envelope_holds_the_ciphertext_as_it_lies_in_the_database_when_released(
    desk: Desk,
    patient: LocalSigner,
    clinician: LocalSigner,
    key: X25519PrivateKey,
    database: Engine,
    laboratory: list[str],
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician) | SEALED
    answer = desk.get(f"Observation/{laboratory[0]}", headers, patient)
    sealed = Envelope.parse(answer.content).sealed
    with reading(database) as connection:
        query = select(record_version.c.wrapped_key).where(
            record_version.c.ciphertext == sealed.ciphertext
        )
        assert connection.execute(query).scalar_one() != sealed.wrapped_key


def test_envelope_opens_with_no_other_key_when_released(
    desk: Desk,
    patient: LocalSigner,
    clinician: LocalSigner,
    key: X25519PrivateKey,
    laboratory: list[str],
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician) | SEALED
    answer = desk.get(f"Observation/{laboratory[0]}", headers, patient)
    with pytest.raises(DecryptionFailed):
        Envelope.parse(answer.content).open(X25519PrivateKey.generate().private_bytes_raw())


def test_envelope_is_refused_as_the_record_is_when_it_is_not_covered(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner, key: X25519PrivateKey
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician) | SEALED
    answer = desk.get("Condition", headers, patient)
    assert_refused(answer, 403, Refusal.SCOPE_NOT_COVERED)


def test_envelope_is_refused_when_the_asker_has_no_key_on_chain(
    desk: Desk, patient: LocalSigner, laboratory: list[str]
) -> None:
    headers = desk.sign_in(patient) | SEALED
    answer = desk.get(f"Observation/{laboratory[0]}", headers, patient)
    assert_refused(answer, 406, "NotAcceptable")
    assert "application/fhir+json" in answer.text


def test_proof_alone_is_refused_when_envelopes_are_asked_for(
    desk: Desk,
    patient: LocalSigner,
    clinician: LocalSigner,
    key: X25519PrivateKey,
    laboratory: list[str],
) -> None:
    desk.grant(patient, clinician, LABORATORY)
    headers = desk.sign_in(clinician) | SEALED
    answer = desk.get(f"Observation/{laboratory[0]}/$proof", headers, patient)
    assert_refused(answer, 406, "NotAcceptable")
