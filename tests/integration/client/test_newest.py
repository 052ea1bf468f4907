"""A steward who serves an older version of a record as the newest is found out by the chain."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from medaccord.chain import Contracts, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.client import Patient, Provider
from medaccord.core.canonical import encode, parse_object
from medaccord.core.errors import ProofMismatch, ReceiptMismatch, RecordSuperseded
from medaccord.core.proofs import RecordProof
from medaccord.core.receipts import SignedReceipt
from medaccord.core.record_state import NewestProof
from medaccord.demo import sample_bundle
from medaccord.demo.stage import Hospital
from medaccord.fhir.answers import RECORD_PROOF_EXTENSION
from tests.integration.client.conftest import World, read
from tests.integration.client.middle import Middle, at, instead, receipt_of, with_receipt

SEARCH = "/fhir/Observation"
CHANGED = sample_bundle().replace(b": 1.00", b": 1.01", 1)
"""One laboratory value is another."""


@pytest.fixture
def name(clinician: Provider, patient: Patient) -> str:
    """The record that is changed."""
    assert sample_bundle() != CHANGED
    (found,) = {
        each.name
        for each in clinician.records.search("Observation", patient.account)
        if b"1.00" in each.record
    }
    return found


@pytest.fixture
def old_page(clinician: Provider, patient: Patient, middle: Middle) -> bytes:
    """What the gatekeeper answered while version 1 was the newest."""
    pages = []
    middle.alter = at(SEARCH, lambda answer: pages.append(answer.content) or answer)  # type: ignore[func-returns-value]  # append gives None
    clinician.records.search("Observation", patient.account)
    middle.alter = lambda request, answer: None
    (page,) = pages
    return page


Entries = dict[str, dict[str, Any]]


def entries_of(page: Any) -> Entries:
    return {f"Observation/{each['resource']['id']}": each for each in page["entry"]}


def proof_of(entry: dict[str, Any]) -> RecordProof:
    (extension,) = entry["extension"]
    return RecordProof.parse(extension["valueString"])


def state_of(proof: RecordProof) -> NewestProof:
    assert proof.newest is not None
    return proof.newest


def prove(entry: dict[str, Any], proof: RecordProof) -> None:
    document = json.dumps(proof.document())
    entry["extension"] = [{"url": RECORD_PROOF_EXTENSION, "valueString": document}]


def serving(
    old_page: bytes, name: str, prove_it: Callable[[RecordProof, RecordProof], RecordProof]
) -> Callable[[httpx.Response], httpx.Response]:
    """Serve an old record in a new answer, with a proof made from the old one and the new one."""

    def change(answer: httpx.Response) -> httpx.Response:
        page: Any = parse_object(answer.content)
        new, old = entries_of(page), entries_of(parse_object(old_page))
        new[name]["resource"] = old[name]["resource"]
        prove(new[name], prove_it(proof_of(old[name]), proof_of(new[name])))
        return instead(answer, encode(page))

    return change


def test_search_hands_over_the_new_version_when_a_record_changed(
    clinician: Provider, patient: Patient, hospital: Hospital, name: str
) -> None:
    hospital.gatekeeper.import_bundle(CHANGED, patient.account)
    found = {each.name: each for each in clinician.records.search("Observation", patient.account)}
    assert found[name].proof.pointer.version == 2
    assert b"1.01" in found[name].record
    others = {each.proof.newest.anchor.head for each in found.values() if each.proof.newest}
    assert len(others) == 1  # one append tells of all, also of those that it did not add
    one = read(clinician, name, patient)
    assert one.proof.pointer.version == 2


def test_search_is_refused_when_the_page_of_before_is_served_again(
    clinician: Provider, patient: Patient, hospital: Hospital, middle: Middle, old_page: bytes
) -> None:
    """Every proof of it was honest."""
    hospital.gatekeeper.import_bundle(CHANGED, patient.account)
    middle.alter = at(SEARCH, lambda answer: instead(answer, old_page))
    with pytest.raises(ProofMismatch, match="not the last that was anchored in its stream"):
        clinician.records.search("Observation", patient.account)


def test_search_is_refused_when_an_old_version_comes_with_the_state_of_today(
    clinician: Provider,
    patient: Patient,
    hospital: Hospital,
    middle: Middle,
    old_page: bytes,
    name: str,
) -> None:
    hospital.gatekeeper.import_bundle(CHANGED, patient.account)
    middle.alter = at(
        SEARCH, serving(old_page, name, lambda old, new: replace(old, newest=new.newest))
    )
    with pytest.raises(RecordSuperseded) as refused:
        clinician.records.search("Observation", patient.account)
    assert (refused.value.version, refused.value.latest) == (1, 2)


def test_search_is_refused_when_the_steward_appends_the_state_of_before_again(
    clinician: Provider,
    patient: Patient,
    hospital: Hospital,
    middle: Middle,
    world: World,
    old_page: bytes,
    name: str,
) -> None:
    """Every proof checks then; whoever read the newer version knows better."""
    hospital.gatekeeper.import_bundle(CHANGED, patient.account)
    assert read(clinician, name, patient).proof.pointer.version == 2
    page: Any = parse_object(old_page)
    proofs = {key: proof_of(entry) for key, entry in entries_of(page).items()}
    pointer, state = proofs[name].pointer, state_of(proofs[name])
    again = actions.append(
        hospital.gatekeeper.contracts,
        account=pointer.steward,
        topic=pointer.topic,
        root=state.anchor.root,
    )
    actions.submit(world.stage.a.sender, again)
    hospital.gatekeeper.ledger.sync()
    last = hospital.gatekeeper.ledger.anchors(pointer.steward, pointer.topic)[-1]
    for key, entry in entries_of(page).items():
        prove(entry, replace(proofs[key], newest=replace(state_of(proofs[key]), anchor=last)))
    middle.alter = at(SEARCH, lambda answer: instead(answer, encode(page)))
    with pytest.raises(RecordSuperseded) as refused:
        clinician.records.search("Observation", patient.account)
    assert (refused.value.version, refused.value.latest) == (1, 2)


def test_search_is_refused_when_an_old_version_comes_without_a_state(
    clinician: Provider,
    patient: Patient,
    hospital: Hospital,
    middle: Middle,
    old_page: bytes,
    name: str,
) -> None:
    hospital.gatekeeper.import_bundle(CHANGED, patient.account)
    middle.alter = at(SEARCH, serving(old_page, name, lambda old, _: replace(old, newest=None)))
    with pytest.raises(ProofMismatch, match="nothing shows which version"):
        clinician.records.search("Observation", patient.account)


def claim(**changes: Any) -> Callable[[RecordProof, RecordProof], RecordProof]:
    """The last append, said to name the old version."""

    def forge(old: RecordProof, new: RecordProof) -> RecordProof:
        assert old.newest is not None
        assert new.newest is not None
        values = {key: value(old.newest, new.newest) for key, value in changes.items()}
        return replace(old, newest=replace(new.newest, **values))

    return forge


@pytest.mark.parametrize(
    ("forge", "told"),
    [
        (
            claim(version=lambda old, _: old.version, leaf=lambda old, _: old.leaf),
            "is not so under the root",
        ),
        (
            claim(siblings=lambda _, new: tuple(reversed(new.siblings))),
            "is not so under the root",
        ),
        (
            claim(
                version=lambda old, _: old.version,
                leaf=lambda old, _: old.leaf,
                siblings=lambda old, _: old.siblings,
                state=lambda old, _: old.state,
            ),
            "the state is not the one that was anchored",
        ),
        (
            lambda old, new: replace(
                old, newest=replace(old.newest, anchor=replace(old.anchor, head=new.anchor.head))
            ),
            "not the last that was anchored",
        ),
    ],
    ids=["version", "siblings", "state", "head"],
)
def test_search_is_refused_when_the_state_is_forged(
    clinician: Provider,
    patient: Patient,
    hospital: Hospital,
    middle: Middle,
    old_page: bytes,
    name: str,
    forge: Callable[[RecordProof, RecordProof], RecordProof],
    told: str,
) -> None:
    hospital.gatekeeper.import_bundle(CHANGED, patient.account)
    middle.alter = at(SEARCH, serving(old_page, name, forge))
    with pytest.raises(ProofMismatch, match=told):
        clinician.records.search("Observation", patient.account)


def test_read_is_refused_when_record_and_proof_of_before_are_served_again(
    clinician: Provider, patient: Patient, hospital: Hospital, middle: Middle, name: str
) -> None:
    kept: dict[str, bytes] = {}

    def keep(request: httpx.Request, answer: httpx.Response) -> None:
        kept[request.url.path] = answer.content

    middle.alter = keep
    read(clinician, name, patient)
    hospital.gatekeeper.import_bundle(CHANGED, patient.account)
    path = f"/fhir/{name}"
    middle.alter = lambda request, answer: (
        instead(answer, kept[request.url.path]) if request.url.path.startswith(path) else None
    )
    with pytest.raises(ProofMismatch, match="not the last that was anchored in its stream"):
        read(clinician, name, patient)


# --- as of which block


def signed_at(
    answer: httpx.Response, world: World, contracts: Contracts, block: int
) -> httpx.Response:
    """An answer with the steward's own signature that it was decided at another block."""
    real = SignedReceipt.parse(receipt_of(answer)).receipt
    block_hash = contracts.network.block(block).hash
    receipt = replace(real, block_number=block, block_hash=block_hash)
    signature = world.gatekeeper_key.sign(receipt.typed(contracts.off_chain_domain))
    signed = SignedReceipt(receipt=receipt, signature=signature)
    return with_receipt(answer, signed.document())


def test_search_is_refused_when_the_steward_decides_at_a_block_of_long_ago(
    clinician: Provider,
    patient: Patient,
    hospital: Hospital,
    middle: Middle,
    old_page: bytes,
    world: World,
    contracts: Contracts,
    chain: EmbeddedChain,
) -> None:
    before = contracts.network.head().number
    hospital.gatekeeper.import_bundle(CHANGED, patient.account)
    chain.advance(timedelta(minutes=3))
    middle.alter = at(
        SEARCH,
        lambda answer: instead(signed_at(answer, world, contracts, before), old_page),
    )
    with pytest.raises(ReceiptMismatch) as refused:
        clinician.records.search("Observation", patient.account)
    assert str(refused.value) == (
        f"the answer was decided at block {before}, which was not the newest any more"
    )


def test_search_is_not_refused_when_a_version_is_anchored_before_the_answer_arrives(
    clinician: Provider, patient: Patient, hospital: Hospital, middle: Middle, name: str
) -> None:
    """The steward was honest: the answer names the block that it was decided at."""

    def overtake(answer: httpx.Response) -> httpx.Response:
        middle.alter = lambda request, answer: None
        hospital.gatekeeper.import_bundle(CHANGED, patient.account)
        return answer

    middle.alter = at(SEARCH, overtake)
    before = {each.name: each for each in clinician.records.search("Observation", patient.account)}
    assert before[name].proof.pointer.version == 1
    after = {each.name: each for each in clinician.records.search("Observation", patient.account)}
    assert after[name].proof.pointer.version == 2


def test_read_asks_again_when_a_version_is_anchored_between_record_and_proof(
    clinician: Provider, patient: Patient, hospital: Hospital, middle: Middle, name: str
) -> None:
    def overtake(answer: httpx.Response) -> httpx.Response:
        middle.alter = lambda request, answer: None
        hospital.gatekeeper.import_bundle(CHANGED, patient.account)
        return answer

    middle.alter = at(f"/fhir/{name}", overtake)
    answer = read(clinician, name, patient)
    assert answer.version == 2
    assert len(answer.receipts) == 4
