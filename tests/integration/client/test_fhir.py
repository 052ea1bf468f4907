"""What a client has in FHIR: held to R4 and its profiles, and read back as the same terms."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from medaccord.chain import actions, events
from medaccord.client import GivenConsent, Patient, Provider, ReceivedRequest
from medaccord.client.audit_log import CountedRefusals
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.errors import (
    InvalidDocument,
    InvalidRequest,
    InvalidResource,
    ProofMismatch,
    VerificationFailed,
)
from medaccord.core.identifiers import ZERO_DIGEST, Digest, hex_digest
from medaccord.core.refusal_count import RefusalCount
from medaccord.core.terms import DatePeriod, Terms
from medaccord.demo.stage import Stage
from medaccord.fhir import collection, reopen_consent
from medaccord.fhir.naming import URI_SYSTEM, consent_name
from tests.integration.client.conftest import LABORATORY, MEDICATION, World, read
from tests.unit.fhir import balp, pcf
from tests.unit.fhir.r4b import check_r4, resources_of

DAY = timedelta(days=1)
TOPIC = Digest(b"\x01" * 32)


@pytest.fixture
def given(patient: Patient, clinician: Provider, stage: Stage) -> GivenConsent:
    """To hospital B, with everything that terms can say."""
    now = stage.network.clock()
    terms = patient.consents.terms(
        LABORATORY,
        MEDICATION,
        period=DatePeriod(start=now.date() - 900 * DAY),
        include_undated=True,
        excluded_labels=["PSY", "ETH"],
        records=["Observation/1", "Observation/2"],
    )
    receipt = patient.consents.offer(clinician.account, terms, valid_until=now + DAY)
    return patient.consents.get(receipt.id)


@pytest.fixture
def received(clinician: Provider, patient: Patient, stage: Stage) -> ReceivedRequest:
    """Hospital B asks for MedicationRequests."""
    until = stage.network.clock() + DAY
    clinician.requests.send(
        patient.account, clinician.requests.terms(MEDICATION), valid_until=until
    )
    (found,) = patient.inbox.list()
    return found


def consent_of(patient: Patient, given: GivenConsent) -> dict[str, Any]:
    (resource,) = patient.consents.as_fhir(given)
    return resource


def unsalted(terms: Terms) -> Terms:
    return replace(terms, salt=ZERO_DIGEST)


# --- consents out


def test_consents_have_what_their_profile_demands(
    patient: Patient, given: GivenConsent, stage: Stage
) -> None:
    consents = patient.consents.as_fhir(*patient.consents.history())
    for consent in consents:
        check_r4(consent)
        pcf.check(consent)
    assert [pcf.profile(each) for each in consents] == ["consentIntermediate", "consentAdvanced"]
    assert [each["id"] for each in consents][1] == given.consent_id.hex()
    assert resources_of(collection(consents, stage.network.clock())) == list(consents)


def test_consent_opens_with_the_salt_as_what_was_given(
    patient: Patient, clinician: Provider, given: GivenConsent
) -> None:
    terms = patient.consents.terms_of(given)
    stated = reopen_consent(consent_of(patient, given), salt=terms.salt)
    assert stated.terms == terms
    assert (stated.patient.address, stated.grantee.address) == (patient.account, clinician.account)
    assert (stated.valid_from, stated.valid_until) == (given.valid_from, given.expires)
    assert (stated.issued_at, stated.status) == (given.issued, ConsentStatus.ACTIVE)


def test_consent_says_that_it_ended_when_it_was_revoked(
    patient: Patient, given: GivenConsent
) -> None:
    patient.consents.revoke(given.consent_id)
    ended = consent_of(patient, patient.consents.get(given.consent_id))
    check_r4(ended)
    assert ended["status"] == "inactive"


def test_consent_is_refused_when_its_terms_were_told_to_nobody(
    patient: Patient, world: World
) -> None:
    untold = replace(patient.consents.get(world.consent), consent_id=TOPIC)
    with pytest.raises(InvalidRequest) as refused:
        patient.consents.as_fhir(untold)
    assert refused.value.problem == (
        f"the terms were not told to this gatekeeper: ask the other one about {hex_digest(TOPIC)}"
    )


# --- consents in


def test_organisation_asks_for_the_same_terms_as_a_consent_states(
    patient: Patient, clinician: Provider, given: GivenConsent
) -> None:
    stated = clinician.requests.from_fhir(json.dumps(consent_of(patient, given)))
    terms = patient.consents.terms_of(given)
    assert unsalted(stated.terms) == unsalted(terms)
    assert stated.terms.salt != terms.salt
    clinician.requests.send(
        stated.patient.address,
        stated.terms,
        valid_from=stated.valid_from,
        valid_until=stated.valid_until,
    )
    (asked,) = patient.inbox.list()
    assert asked.request.terms == stated.terms
    assert (asked.request.valid_from, asked.expires) == (given.valid_from, given.expires)
    (task,) = patient.inbox.as_fhir(asked)
    again = reopen_consent(task["contained"][0], salt=stated.terms.salt)
    assert again.terms == stated.terms


def test_patient_offers_what_a_consent_states(patient: Patient, given: GivenConsent) -> None:
    stated = patient.consents.from_fhir(consent_of(patient, given))
    receipt = patient.consents.offer(
        stated.grantee.address,
        stated.terms,
        valid_from=stated.valid_from,
        valid_until=stated.valid_until,
    )
    offered = patient.consents.get(receipt.id)
    terms = patient.consents.terms_of(offered)
    assert unsalted(terms) == unsalted(patient.consents.terms_of(given))
    assert (offered.valid_from, offered.expires) == (given.valid_from, given.expires)
    assert offered.terms != given.terms


def test_reading_a_consent_is_refused_with_all_that_terms_cannot_express(
    patient: Patient, clinician: Provider, given: GivenConsent
) -> None:
    consent = consent_of(patient, given)
    consent["verification"] = [{"verified": True}]
    consent["provision"]["provision"][0]["action"] = [{"coding": [{"code": "access"}]}]
    with pytest.raises(InvalidResource) as refused:
        clinician.requests.from_fhir(consent)
    assert refused.value.faults.keys() == {
        "Consent.verification",
        "Consent.provision.provision[0].action",
    }


def test_reading_is_refused_when_it_is_no_json(clinician: Provider) -> None:
    with pytest.raises(InvalidDocument):
        clinician.requests.from_fhir("Consent")


def test_asking_is_refused_when_a_consent_permits_another_organisation(
    patient: Patient,
    clinician: Provider,
    ambulance: Provider,
    given: GivenConsent,
    stage: Stage,
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        ambulance.requests.from_fhir(consent_of(patient, given))
    named = [str(stage.contracts.account_id(each.account)) for each in (clinician, ambulance)]
    assert refused.value.problem == f"the Consent permits {named[0]}, not {named[1]}"


def test_reading_is_refused_when_a_consent_is_about_another_stewards_records(
    patient: Patient, clinician: Provider, given: GivenConsent, stage: Stage
) -> None:
    consent = consent_of(patient, given)
    other, here = (str(stage.contracts.account_id(each.account)) for each in (stage.c, stage.a))
    consent["organization"][0]["identifier"]["value"] = other
    with pytest.raises(InvalidRequest) as refused:
        clinician.requests.from_fhir(consent)
    assert refused.value.problem == f"the Consent is about records of {other}, not of {here}"


def test_offering_is_refused_when_a_consent_is_another_patients(
    patient: Patient, neighbour: Patient, given: GivenConsent, stage: Stage
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        neighbour.consents.from_fhir(consent_of(patient, given))
    own, others = (str(stage.contracts.account_id(each.account)) for each in (patient, neighbour))
    assert refused.value.problem == f"the Consent is of {own}, not of {others}"


def test_offering_is_refused_when_a_request_asks_for_the_consent(
    patient: Patient, received: ReceivedRequest
) -> None:
    (task,) = patient.inbox.as_fhir(received)
    proposed = {**task["contained"][0], "id": "1"}
    with pytest.raises(InvalidRequest) as refused:
        patient.consents.from_fhir(proposed)
    assert refused.value.problem == (
        f"the Consent is what request {hex_digest(received.digest)} asks for: grant that"
    )


# --- requests


def test_request_is_a_task_until_it_is_granted_on_both_sides(
    patient: Patient, clinician: Provider, received: ReceivedRequest, stage: Stage
) -> None:
    (asked,) = patient.inbox.as_fhir(received)
    check_r4(asked)
    pcf.check(asked["contained"][0])
    assert (asked["status"], asked["id"]) == ("requested", received.digest.hex())
    assert (asked,) == clinician.requests.as_fhir(*clinician.requests.list())

    consent = patient.consents.grant(received).id
    (done,) = patient.inbox.as_fhir(*patient.inbox.list(None))
    check_r4(done)
    contracts = stage.contracts
    name = consent_name(contracts.account_id(contracts.address("Consents")), consent)
    (output,) = done["output"]
    assert done["status"] == "completed"
    assert output["valueReference"]["identifier"] == {"system": URI_SYSTEM, "value": name}
    assert (done,) == clinician.requests.as_fhir(*clinician.requests.list())


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (lambda patient, clinician, asked: patient.inbox.deny(asked), "rejected"),
        (
            lambda patient, clinician, asked: clinician.requests.cancel(
                clinician.requests.list()[0]
            ),
            "cancelled",
        ),
    ],
    ids=["denied", "taken back"],
)
def test_task_says_that_a_request_was_not_granted(
    patient: Patient,
    clinician: Provider,
    received: ReceivedRequest,
    end: Callable[[Patient, Provider, ReceivedRequest], None],
    status: str,
) -> None:
    end(patient, clinician, received)
    (task,) = patient.inbox.as_fhir(*patient.inbox.list(None))
    check_r4(task)
    assert task["status"] == status
    assert "output" not in task


def test_task_is_refused_when_no_consent_answers_what_is_said_to_be_granted(
    patient: Patient, received: ReceivedRequest
) -> None:
    claimed = replace(received, status=ConsentStatus.ACTIVE)
    with pytest.raises(VerificationFailed) as refused:
        patient.inbox.as_fhir(claimed)
    assert str(refused.value) == (
        f"the gatekeeper says that request {hex_digest(received.digest)} was granted, but no"
        " consent on the chain answers it: it may not be mined yet"
    )


# --- records


def test_pointer_says_where_a_record_is_to_whoever_read_it(
    patient: Patient, clinician: Provider, laboratory: list[str], stage: Stage
) -> None:
    record = read(clinician, laboratory[0], patient)
    pointer = clinician.records.pointer(record, patient.account)
    check_r4(pointer)
    assert pointer["id"] == record.proof.pointer.leaf.hex()
    assert pointer["context"]["related"][0]["reference"] == f"{laboratory[0]}/_history/1"
    named = pointer["subject"]["identifier"]["value"]
    assert named == str(stage.contracts.account_id(patient.account))
    kind, _, identity = laboratory[0].partition("/")
    assert patient.records.pointer(patient.records.read(kind, identity)) == pointer


def test_pointer_to_the_stewards_own_record_names_no_patient(patient: Patient) -> None:
    found = patient.records.everything()
    list(found)
    pointer = patient.records.pointer(found.included[0])
    check_r4(pointer)
    assert "subject" not in pointer


def test_provenance_names_all_records_of_an_anchor_and_the_key_that_appended(
    patient: Patient, clinician: Provider, laboratory: list[str], world: World
) -> None:
    records = list(clinician.records.search("Observation", patient.account))
    (origin,) = clinician.records.provenance(*records, *records)
    check_r4(origin)
    targets = [each["reference"] for each in origin["target"]]
    assert sorted(targets) == [f"{name}/_history/1" for name in laboratory]
    who = [each["who"]["identifier"]["value"] for each in origin["agent"]]
    assert [each.rpartition(":")[2] for each in who] == [
        clinician.steward,
        world.gatekeeper_key.address,
    ]
    assert "signature" not in origin  # the key sent the transaction itself
    assert patient.records.provenance(*records) == (origin,)


def test_provenance_has_the_signature_when_somebody_else_sent_the_append(
    patient: Patient, clinician: Provider, laboratory: list[str], stage: Stage
) -> None:
    action = actions.append(
        stage.contracts, account=stage.a.account, topic=TOPIC, root=Digest(b"\x02" * 32)
    )
    signed = actions.signed(action, stage.a.signer)
    (event,) = actions.submit(stage.b.sender, signed).events
    assert isinstance(event, events.Anchored)
    record = read(clinician, laboratory[0], patient)
    moved = replace(record, proof=replace(record.proof, anchor=event.anchor))
    (origin,) = clinician.records.provenance(moved)
    check_r4(origin)
    (signature,) = origin["signature"]
    assert signature["who"]["identifier"]["value"].endswith(stage.a.account)
    assert signature["data"] == base64.b64encode(signed.signature).decode()


def test_provenance_is_refused_when_the_chain_has_no_such_append(
    patient: Patient, clinician: Provider, laboratory: list[str]
) -> None:
    record = read(clinician, laboratory[0], patient)
    anchor = replace(record.proof.anchor, transaction=TOPIC)
    elsewhere = replace(record, proof=replace(record.proof, anchor=anchor))
    with pytest.raises(ProofMismatch, match=f"no such append in block {anchor.block_number}"):
        clinician.records.provenance(elsewhere)


# --- the log


def test_log_is_audit_events_that_balp_takes(patient: Patient, clinician: Provider) -> None:
    log = patient.audit.verify()
    counted = CountedRefusals(
        requester=clinician.account,
        refusals=RefusalCount(count=7, since=log.entries[0].at, last=log.entries[-1].at),
    )
    found = patient.audit.as_fhir(replace(log, counted=(counted,)))
    for event in found:
        balp.check(event)
    assert {each["id"].removesuffix("-decision") for each in found} == {
        f"line-{number}" for number in range(1, log.count + 2)
    }
    assert found[-1]["outcomeDesc"].startswith("7 refusals from ")
    assert patient.audit.as_fhir(log) == found[:-1]
