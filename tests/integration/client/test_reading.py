"""What a reader is handed is what the chain proves, or it is not handed over at all."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak

from medaccord.chain import Contracts, actions
from medaccord.client import Patient, Provider
from medaccord.core.anchors import Anchor
from medaccord.core.canonical import Number, record_bytes
from medaccord.core.errors import ProofMismatch, ReceiptMismatch, TransportError
from medaccord.core.identifiers import Digest, digest
from medaccord.core.merkle import MerkleTree
from medaccord.core.pointers import Pointer, record_key
from medaccord.core.proofs import RecordProof
from medaccord.core.receipts import Receipt, SignedReceipt
from medaccord.demo.stage import Stage
from medaccord.fhir.answers import RECORD_PROOF_EXTENSION
from medaccord.keys import LocalSigner
from tests.integration.client.conftest import World, read
from tests.integration.client.middle import (
    RECEIPT,
    Middle,
    at,
    edited,
    instead,
    receipt_of,
    with_receipt,
)

SEARCH = "/fhir/Observation"


def proof_of(entry: dict[str, Any]) -> dict[str, Any]:
    (extension,) = entry["extension"]
    document: dict[str, Any] = json.loads(extension["valueString"])
    return document


def prove(entry: dict[str, Any], document: dict[str, Any]) -> None:
    entry["extension"] = [{"url": RECORD_PROOF_EXTENSION, "valueString": json.dumps(document)}]


# --- what is true is handed over


def test_search_hands_over_what_was_granted_with_a_receipt(
    clinician: Provider, patient: Patient, laboratory: list[str]
) -> None:
    answer = clinician.records.search("Observation", patient.account)
    assert sorted(record.name for record in answer) == laboratory
    assert [each.receipt.steward for each in answer.receipts] == [clinician.steward]


def test_search_hands_over_every_page_with_a_receipt_each(
    clinician: Provider, patient: Patient, laboratory: list[str]
) -> None:
    answer = clinician.records.search("Observation", patient.account, _count="2")
    assert sorted(record.name for record in answer) == laboratory
    numbers = [each.receipt.number for each in answer.receipts]
    assert len(numbers) == len(laboratory) // 2
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_read_hands_over_the_record_as_it_was_written(
    clinician: Provider, patient: Patient, laboratory: list[str]
) -> None:
    values = set()
    for name in laboratory:
        record = read(clinician, name, patient)
        assert record.name == name
        value: Any = record.resource.get("valueQuantity")
        values.add(value and value["value"])
    assert Number("1.00") in values


# --- what is not is not


def test_search_is_refused_when_one_byte_of_a_record_is_changed(
    clinician: Provider, patient: Patient, middle: Middle
) -> None:
    middle.alter = at(
        SEARCH, lambda answer: instead(answer, answer.content.replace(b":1.00", b":1.01"))
    )
    with pytest.raises(ProofMismatch, match="it was changed"):
        clinician.records.search("Observation", patient.account)


def test_search_is_refused_when_a_number_is_written_another_way(
    clinician: Provider, patient: Patient, middle: Middle
) -> None:
    middle.alter = at(
        SEARCH, lambda answer: instead(answer, answer.content.replace(b":1.00", b":1.0"))
    )
    with pytest.raises(ProofMismatch, match="it was changed"):
        clinician.records.search("Observation", patient.account)


def test_search_is_refused_when_a_record_comes_without_proof(
    clinician: Provider, patient: Patient, middle: Middle
) -> None:
    middle.alter = at(SEARCH, edited(lambda page: page["entry"][1].pop("extension")))
    with pytest.raises(ProofMismatch, match="came without its proof"):
        clinician.records.search("Observation", patient.account)


def test_search_is_refused_when_proofs_are_swapped(
    clinician: Provider, patient: Patient, middle: Middle
) -> None:
    def swap(page: dict[str, Any]) -> None:
        first, second, *_ = page["entry"]
        first["extension"], second["extension"] = second["extension"], first["extension"]

    middle.alter = at(SEARCH, edited(swap))
    with pytest.raises(ProofMismatch, match="it was changed"):
        clinician.records.search("Observation", patient.account)


@pytest.mark.parametrize("member", ["previous", "root", "head", "transaction", "blockNumber"])
def test_search_is_refused_when_the_anchor_is_forged(
    clinician: Provider, patient: Patient, middle: Middle, member: str
) -> None:
    def forge(page: dict[str, Any]) -> None:
        document = proof_of(page["entry"][0])
        anchor = document["anchor"]
        anchor[member] = anchor[member] + 1 if member == "blockNumber" else "0x" + "7" * 64
        prove(page["entry"][0], document)

    middle.alter = at(SEARCH, edited(forge))
    with pytest.raises(ProofMismatch):
        clinician.records.search("Observation", patient.account)


def test_search_is_refused_when_the_root_was_never_anchored(
    clinician: Provider, patient: Patient, stage: Stage, middle: Middle
) -> None:
    """A batch made up by whoever answers, with the real anchor's place."""

    def forge(page: dict[str, Any]) -> None:
        entry = page["entry"][0]
        entry["resource"]["status"] = "amended"
        real = RecordProof.parse(proof_of(entry))
        changed = record_bytes(entry["resource"])
        pointer = made_up(stage.a.account, real.pointer.topic, changed, entry["resource"])
        tree = MerkleTree([pointer.leaf])
        anchor = Anchor(
            account=real.anchor.account,
            topic=real.anchor.topic,
            previous=real.anchor.previous,
            root=tree.root,
            head=real.anchor.head,
            block_number=real.anchor.block_number,
            transaction=real.anchor.transaction,
        )
        made = RecordProof(pointer=pointer, siblings=tree.proof(0), anchor=anchor)
        prove(entry, made.document())

    middle.alter = at(SEARCH, edited(forge))
    with pytest.raises(ProofMismatch, match="the chain holds no anchor of the root"):
        clinician.records.search("Observation", patient.account)


def made_up(steward: Any, topic: Digest, record: bytes, resource: dict[str, Any]) -> Pointer:
    return Pointer(
        steward=steward,
        topic=topic,
        record=record_key(f"{resource['resourceType']}/{resource['id']}"),
        version=1,
        plaintext=Digest(keccak(record)),
        ciphertext=digest(b"\x01" * 32),
        salt=digest(b"\x02" * 32),
    )


def test_search_is_refused_when_the_proof_is_another_stewards(
    clinician: Provider, patient: Patient, stage: Stage, contracts: Contracts, middle: Middle
) -> None:
    """Hospital B, which has anchored a changed record honestly as its own."""
    topic = digest(b"\x05" * 32)

    def forge(page: dict[str, Any]) -> None:
        entry = page["entry"][0]
        entry["resource"]["status"] = "amended"
        record = record_bytes(entry["resource"])
        pointer = made_up(stage.b.account, topic, record, entry["resource"])
        tree = MerkleTree([pointer.leaf])
        appended = actions.submit(
            stage.b.sender,
            actions.append(contracts, account=stage.b.account, topic=topic, root=tree.root),
        )
        (event,) = appended.events
        anchor = Anchor(
            account=stage.b.account,
            topic=topic,
            previous=digest(bytes(32)),
            root=tree.root,
            head=event.head,  # type: ignore[attr-defined]  # it is an Anchored
            block_number=appended.block.number,
            transaction=appended.transaction,
        )
        proof = RecordProof(pointer=pointer, siblings=tree.proof(0), anchor=anchor)
        prove(entry, proof.document())

    middle.alter = at(SEARCH, edited(forge))
    with pytest.raises(ProofMismatch) as refused:
        clinician.records.search("Observation", patient.account)
    assert str(refused.value) == f"the proof is by {stage.b.account}, not by {stage.a.account}"


def test_search_is_refused_when_a_record_of_another_patient_is_mixed_in(
    clinician: Provider, patient: Patient, neighbour: Patient, middle: Middle
) -> None:
    others: list[dict[str, Any]] = []
    middle.alter = at(SEARCH, edited(lambda page: others.extend(page["entry"])))
    clinician.records.search("Observation", neighbour.account)
    middle.alter = at(SEARCH, edited(lambda page: page["entry"].extend(others)))
    with pytest.raises(ProofMismatch) as refused:
        clinician.records.search("Observation", patient.account)
    assert str(refused.value) == f"the record is another patient's than {patient.account}'s"


def test_stream_of_a_patient_is_not_fixed_when_the_record_is_refused(
    clinician: Provider, patient: Patient, neighbour: Patient, middle: Middle
) -> None:
    others: list[dict[str, Any]] = []
    middle.alter = at(SEARCH, edited(lambda page: others.extend(page["entry"])))
    clinician.records.search("Observation", neighbour.account)
    for entry in others:
        proof = RecordProof.parse(entry["extension"][0]["valueString"])
        prove(entry, replace(proof, newest=None).document())
    middle.alter = at(SEARCH, edited(lambda page: page.update(entry=others)))
    with pytest.raises(ProofMismatch, match="nothing shows which version"):
        clinician.records.search("Observation", patient.account)
    middle.alter = lambda request, answer: None
    assert list(clinician.records.search("Observation", patient.account))


def test_search_is_refused_when_answered_for_another_patient(
    clinician: Provider, patient: Patient, neighbour: Patient, middle: Middle
) -> None:
    middle.redirect = lambda url: url.copy_set_param("patient", f"eip155:1337:{neighbour.account}")
    with pytest.raises(ReceiptMismatch) as refused:
        clinician.records.search("Observation", patient.account)
    assert str(refused.value) == f"the receipt is for another log than that of {patient.account}"


def test_search_is_refused_when_answered_with_another_type(
    patient: Patient, middle: Middle
) -> None:
    middle.redirect = lambda url: url.copy_with(path=url.path.replace("Condition", "Observation"))
    with pytest.raises(ProofMismatch, match="asked for Condition, the gatekeeper answered Obs"):
        patient.records.search("Condition")


def test_read_is_refused_when_another_record_is_answered_with_its_own_proof(
    clinician: Provider, patient: Patient, laboratory: list[str], middle: Middle
) -> None:
    wanted, other, *_ = laboratory
    middle.redirect = lambda url: url.copy_with(path=url.path.replace(wanted, other))
    with pytest.raises(ProofMismatch) as refused:
        read(clinician, wanted, patient)
    assert str(refused.value) == f"asked for {wanted}, the gatekeeper answered {other}"


def test_read_is_refused_when_the_proof_is_of_another_record(
    clinician: Provider, patient: Patient, laboratory: list[str], middle: Middle
) -> None:
    wanted, other, *_ = laboratory
    middle.redirect = lambda url: url.copy_with(
        path=url.path.replace(wanted, other) if url.path.endswith("$proof") else url.path
    )
    with pytest.raises(ProofMismatch, match="it was changed"):
        read(clinician, wanted, patient)


@pytest.mark.parametrize("proof", [b"null", b"{}", b'{"profile": "medaccord/proof/1"}', b""])
def test_read_is_refused_when_there_is_no_proof(
    clinician: Provider, patient: Patient, laboratory: list[str], middle: Middle, proof: bytes
) -> None:
    path = f"/fhir/{laboratory[0]}"
    middle.alter = at(f"{path}/$proof", lambda answer: instead(answer, proof))
    with pytest.raises(TransportError, match="does not answer as a gatekeeper does"):
        read(clinician, laboratory[0], patient)


# --- receipts


def test_answer_is_refused_when_the_receipt_is_missing(
    clinician: Provider, patient: Patient, middle: Middle
) -> None:
    middle.alter = at(SEARCH, lambda answer: instead(answer, without=RECEIPT))
    with pytest.raises(ReceiptMismatch, match="answered without a receipt"):
        clinician.records.search("Observation", patient.account)


def signed_again(
    answer: Any, contracts: Contracts, signer: LocalSigner, steward: Any = None
) -> dict[str, Any]:
    """The receipt of an answer, signed by another key, and for another steward if given."""
    real = SignedReceipt.parse(receipt_of(answer)).receipt
    receipt = Receipt(
        steward=steward or real.steward,
        relationship=real.relationship,
        number=real.number,
        entry=real.entry,
        head=real.head,
        block_number=real.block_number,
        block_hash=real.block_hash,
    )
    signature = signer.sign(receipt.typed(contracts.off_chain_domain))
    return SignedReceipt(receipt=receipt, signature=signature).document()


def test_answer_is_refused_when_the_receipt_is_signed_by_a_stranger(
    clinician: Provider,
    patient: Patient,
    contracts: Contracts,
    stranger: LocalSigner,
    middle: Middle,
) -> None:
    middle.alter = at(
        SEARCH, lambda answer: with_receipt(answer, signed_again(answer, contracts, stranger))
    )
    with pytest.raises(ReceiptMismatch) as refused:
        clinician.records.search("Observation", patient.account)
    assert str(refused.value) == (
        f"the receipt is signed by {stranger.address}, no key of {clinician.steward}"
    )


def test_answer_is_refused_when_the_receipt_is_another_stewards(
    clinician: Provider, patient: Patient, stage: Stage, middle: Middle
) -> None:
    b = stage.b
    middle.alter = at(
        SEARCH,
        lambda answer: with_receipt(
            answer, signed_again(answer, stage.contracts, b.signer, b.account)
        ),
    )
    with pytest.raises(ReceiptMismatch, match=f"signed by {b.account}, no key of"):
        clinician.records.search("Observation", patient.account)


def test_answer_is_refused_when_the_receipt_names_another_steward(
    clinician: Provider, patient: Patient, world: World, stage: Stage, middle: Middle
) -> None:
    middle.alter = at(
        SEARCH,
        lambda answer: with_receipt(
            answer,
            signed_again(answer, stage.contracts, world.gatekeeper_key, stage.b.account),
        ),
    )
    with pytest.raises(ReceiptMismatch) as refused:
        clinician.records.search("Observation", patient.account)
    assert str(refused.value) == (f"the receipt is by {stage.b.account}, not by {stage.a.account}")


def test_answer_is_refused_when_a_word_of_the_receipt_is_changed(
    clinician: Provider, patient: Patient, middle: Middle
) -> None:
    middle.alter = at(
        SEARCH,
        lambda answer: with_receipt(answer, {**receipt_of(answer), "number": 1_000}),
    )
    with pytest.raises(ReceiptMismatch, match="the receipt is signed by 0x"):
        clinician.records.search("Observation", patient.account)


def test_answer_is_refused_when_the_receipt_was_given_before(
    clinician: Provider, patient: Patient, middle: Middle
) -> None:
    """So that no answer leaves without a line of its own in the log."""
    (earlier,) = clinician.records.search("Observation", patient.account).receipts
    middle.alter = at(SEARCH, lambda answer: with_receipt(answer, earlier.document()))
    with pytest.raises(ReceiptMismatch) as refused:
        clinician.records.search("Observation", patient.account)
    assert str(refused.value) == (
        f"the receipt of entry {earlier.receipt.number} was given for another answer before"
    )


@pytest.mark.parametrize("text", ["", "!", "bm8", "eyJ9", "é"])
def test_answer_is_refused_when_the_receipt_cannot_be_read(
    clinician: Provider, patient: Patient, middle: Middle, text: str
) -> None:
    middle.alter = at(SEARCH, lambda answer: instead(answer, headers={RECEIPT: text}))
    with pytest.raises(ReceiptMismatch, match="the gatekeeper's receipt cannot be read"):
        clinician.records.search("Observation", patient.account)
