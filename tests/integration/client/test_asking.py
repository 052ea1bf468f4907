"""Versions, everything, envelopes and matches: handed over as the chain proves them, or not."""

from __future__ import annotations

import os
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from medaccord.chain import Contracts, actions
from medaccord.client import Patient, Provider
from medaccord.core.errors import (
    AccessRefused,
    DecryptionFailed,
    ProofMismatch,
    ReceiptMismatch,
    TransportError,
)
from medaccord.core.identifiers import digest
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.demo import sample_bundle
from medaccord.demo.stage import Hospital, Stage
from medaccord.fhir import read_bundle
from medaccord.fhir.search import ACCOUNT_SYSTEM
from tests.integration.client.middle import Middle, at, edited

PATIENT_ID = read_bundle(sample_bundle()).patient_id
EVERYTHING = f"/fhir/Patient/{PATIENT_ID}/$everything"
IDENTIFIER = {"system": "https://hospital-a.example/patients", "value": "A-100417"}
CHANGED = sample_bundle().replace(b'"code": "active"', b'"code": "resolved"', 1)


# --- Versions ---


def test_version_says_what_superseded_it_when_one_did(hospital: Hospital, patient: Patient) -> None:
    hospital.gatekeeper.import_bundle(CHANGED, patient.account)
    before = {each.record: each.canonical() for each in read_bundle(sample_bundle()).resources}
    (name,) = (
        each.record
        for each in read_bundle(CHANGED).resources
        if each.canonical() != before[each.record]
    )
    kind, _, identity = name.partition("/")
    old = patient.records.vread(kind, identity, 1)
    new = patient.records.vread(kind, identity, 2)
    assert (old.record, old.version, old.superseded_by) == (before[name], 1, 2)
    assert (new.version, new.superseded_by) == (2, None)


def test_version_is_refused_when_another_one_is_served(
    hospital: Hospital, patient: Patient, middle: Middle
) -> None:
    hospital.gatekeeper.import_bundle(CHANGED, patient.account)
    conditions = list(patient.records.search("Condition"))
    (changed,) = [each for each in conditions if each.version == 2]
    kind, _, identity = changed.name.partition("/")
    middle.redirect = lambda url: url.copy_with(path=url.path.replace("/_history/1", ""))
    with pytest.raises(ProofMismatch, match="asked for version 1, not 2"):
        patient.records.vread(kind, identity, 1)


# --- Everything ---


def test_everything_hands_over_each_record_and_what_it_refers_to(patient: Patient) -> None:
    bundle = read_bundle(sample_bundle())
    answer = patient.records.everything(PATIENT_ID, _count="9")
    assert [each.name for each in answer] == sorted(r.record for r in bundle.resources)
    assert sorted(each.name for each in answer.included) == sorted(
        r.record for r in bundle.directory
    )
    assert (answer.total, len(answer.receipts)) == (len(bundle.resources), 3)


def test_everything_is_refused_when_a_record_stands_there_as_included(
    patient: Patient, middle: Middle
) -> None:
    def move(page: dict[str, Any]) -> None:
        page["entry"][0]["search"]["mode"] = "include"

    middle.alter = at(EVERYTHING, edited(move))
    with pytest.raises(ProofMismatch, match="where none belongs"):
        patient.records.everything(PATIENT_ID)


def test_practitioner_is_read_beside_the_records_that_refer_to_it(patient: Patient) -> None:
    (practitioner,) = [
        each for each in read_bundle(sample_bundle()).directory if each.type == "Practitioner"
    ]
    patient.records.search("Observation")
    found = patient.records.read("Practitioner", practitioner.id)
    assert found.record == practitioner.canonical()


def test_pages_are_asked_for_when_they_are_wanted(
    clinician: Provider, patient: Patient, middle: Middle, laboratory: list[str]
) -> None:
    pages = clinician.records.search(
        "Observation", patient.account, _count="2", _sort="-date"
    ).pages()
    first = next(pages)
    asked = len(middle.paths())
    assert (len(first.records), first.total) == (2, len(laboratory))
    assert len(next(pages).records) == 2
    assert len(middle.paths()) == asked + 1


# --- Envelopes ---


@pytest.fixture
def key(stage: Stage, contracts: Contracts) -> X25519PrivateKey:
    """Hospital B's, published in the Registry."""
    made = X25519PrivateKey.generate()
    action = actions.publish(
        contracts,
        account=stage.b.account,
        key=digest(made.public_key().public_bytes_raw()),
        profile=digest(os.urandom(32)),
    )
    actions.submit(stage.b.sender, actions.signed(action, stage.b.signer))
    return made


def sealed_reader(
    stage: Stage, contracts: Contracts, hospital: Hospital, http: httpx.Client, key: bytes
) -> Provider:
    return Provider(stage.b.signer, contracts, hospital.url, http=http, envelope_key=key)


def test_envelopes_are_opened_and_checked_like_records_in_clear(
    stage: Stage,
    contracts: Contracts,
    hospital: Hospital,
    middle: Middle,
    clinician: Provider,
    patient: Patient,
    key: X25519PrivateKey,
) -> None:
    with middle.client() as http:
        reader = sealed_reader(stage, contracts, hospital, http, key.private_bytes_raw())
        sealed = reader.records.search("Observation", patient.account, _count="4")
        clear = list(clinician.records.search("Observation", patient.account))
        assert [each.record for each in sealed] == [each.record for each in clear]
        assert len(sealed.receipts) == 2
        kind, _, identity = clear[0].name.partition("/")
        one = reader.records.read(kind, identity, patient.account)
        assert one.record == clear[0].record
        everything = reader.records.everything(PATIENT_ID, patient.account)
        assert [each.name for each in everything] == [each.name for each in clear]
        in_clear = clinician.records.everything(PATIENT_ID, patient.account)
        assert len(list(in_clear)) == len(clear)
        assert [each.record for each in everything.included] == [
            each.record for each in in_clear.included
        ]


def test_envelopes_are_refused_when_they_are_to_another_key(
    stage: Stage,
    contracts: Contracts,
    hospital: Hospital,
    middle: Middle,
    patient: Patient,
    key: X25519PrivateKey,
) -> None:
    other = X25519PrivateKey.generate().private_bytes_raw()
    with middle.client() as http:
        reader = sealed_reader(stage, contracts, hospital, http, other)
        with pytest.raises(DecryptionFailed):
            reader.records.search("Observation", patient.account)


def test_envelope_is_refused_when_it_is_said_to_be_another_record(
    stage: Stage,
    contracts: Contracts,
    hospital: Hospital,
    middle: Middle,
    patient: Patient,
    key: X25519PrivateKey,
) -> None:
    def rename(page: dict[str, Any]) -> None:
        page["envelopes"][0]["record"] = page["envelopes"][1]["record"]

    middle.alter = at("/fhir/Observation", edited(rename))
    with middle.client() as http:
        reader = sealed_reader(stage, contracts, hospital, http, key.private_bytes_raw())
        with pytest.raises(ProofMismatch):
            reader.records.search("Observation", patient.account)


# --- Matches ---


def test_match_finds_the_account_that_access_is_opened_for(
    hospital: Hospital, ambulance: Provider, patient: Patient
) -> None:
    hospital.gatekeeper.matching.bring_up()
    (found,) = ambulance.emergency.match({"identifier": [IDENTIFIER]})
    assert (found.account, found.grade) == (patient.account, "certain")
    assert found.receipt.receipt.number == patient.audit.verify().entries[-1].number


def test_match_is_refused_when_the_organisation_may_not_ask(clinician: Provider) -> None:
    with pytest.raises(AccessRefused) as caught:
        clinician.emergency.match({"identifier": [IDENTIFIER]})
    assert caught.value.reason is Refusal.MAY_NOT_ASK


def test_match_is_refused_when_somebody_is_named_without_a_receipt(
    hospital: Hospital, ambulance: Provider, middle: Middle
) -> None:
    hospital.gatekeeper.matching.bring_up()
    middle.alter = at(
        "/fhir/Patient/$match", edited(lambda page: page["entry"][0].pop("extension"))
    )
    with pytest.raises(ReceiptMismatch, match="without a receipt"):
        ambulance.emergency.match({"identifier": [IDENTIFIER]}, purpose=Purpose.BTG)


def test_match_is_refused_when_the_account_is_of_another_chain(
    hospital: Hospital, ambulance: Provider, patient: Patient, middle: Middle
) -> None:
    hospital.gatekeeper.matching.bring_up()
    there = f"eip155:1:{patient.account}"

    def move(page: dict[str, Any]) -> None:
        identifiers = page["entry"][0]["resource"]["identifier"]
        (account,) = [each for each in identifiers if each["system"] == ACCOUNT_SYSTEM]
        account["value"] = there

    middle.alter = at("/fhir/Patient/$match", edited(move))
    with pytest.raises(TransportError, match=f"{there} is of another chain than "):
        ambulance.emergency.match({"identifier": [IDENTIFIER]}, purpose=Purpose.BTG)
