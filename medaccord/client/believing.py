"""What is believed of a gatekeeper's answers: only what the chain proves, and what stays so."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import Lock

import httpx

from medaccord.client.evidence import ChainEvidence
from medaccord.core.audit import relationship_key
from medaccord.core.canonical import Object, parse_object
from medaccord.core.errors import InvalidInput, ProofMismatch, ReceiptMismatch, RecordSuperseded
from medaccord.core.identifiers import Address, Digest
from medaccord.core.pointers import Pointer
from medaccord.core.proofs import RecordProof, verify_newest, verify_record
from medaccord.core.receipts import SignedReceipt

_RECEIPT = "Medaccord-Receipt"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedRecord:
    """A record that was released: what its steward anchored, and the newest version of it.

    Attributes:
        record: Its canonical bytes.
        proof: What shows both.
        superseded_by: The newest version where an older one was asked for; None where this is it.
        receipts: What the steward signed for the answer that it came in. Keep them: they show what
            was logged.
    """

    record: bytes
    proof: RecordProof
    superseded_by: int | None = None
    receipts: tuple[SignedReceipt, ...] = field(default=(), compare=False)

    @property
    def resource(self) -> Object:
        """The record, read losslessly: numbers are `Number`, as they were written."""
        return parse_object(self.record)

    @property
    def name(self) -> str:
        """Its name, ``Type/id``."""
        resource = self.resource
        return f"{resource['resourceType']}/{resource['id']}"

    @property
    def version(self) -> int:
        """Its version, from 1."""
        return self.proof.pointer.version


class Belief:
    """Checks what one gatekeeper answers, and remembers what must stay as it was.

    Whose records a stream holds, the chain does not tell. So the first record that is read for a
    patient fixes the patient's stream: records of two patients are never taken for one's. And a
    version once seen is never taken back: an older one that is served later is refused.

    Attributes:
        heads: Heads of the steward's logs as its receipts name them, by patient and number.
    """

    def __init__(self, evidence: ChainEvidence, steward: Address) -> None:
        """Believe the gatekeeper of a steward as far as the chain goes."""
        self.heads: dict[Address, dict[int, Digest]] = {}
        self._evidence = evidence
        self._steward = steward
        self._streams: dict[Address, Digest] = {}
        self._seen: dict[tuple[Address, Digest], tuple[int, int]] = {}
        self._lock = Lock()

    def now(self) -> datetime:
        """The time that the age of answers is measured by."""
        return self._evidence.now()

    def decided_at(self, signed: SignedReceipt, asked_at: datetime) -> int:
        """The block that an answer was decided at, new when it was asked for.

        Raises:
            ReceiptMismatch: It was not.
            TransportError: The node does not answer.
        """
        return self._evidence.check_block(signed.receipt.block_number, asked_at=asked_at)

    def newest(
        self, record: bytes, proof: RecordProof, owner: Address, decided_at: int
    ) -> ReleasedRecord:
        """Check that a record is what was anchored, and the newest version of it.

        Args:
            record: Its canonical bytes.
            proof: What came with it.
            owner: Whose it is: a patient, or the steward itself for practitioners and the like.
            decided_at: From `decided_at`.

        Raises:
            RecordSuperseded: It is older than what was anchored as the newest, or seen before.
            ProofMismatch: It is not what was anchored, or another owner's.
            TransportError: The node does not answer.
        """
        self._check(record, proof)
        verify_newest(proof, partial(self._evidence.is_newest, decided_at=decided_at))
        self._check_stream(owner, proof.pointer.topic)
        self._check_seen(owner, proof.pointer, decided_at)
        return ReleasedRecord(record=record, proof=proof)

    def version(
        self, record: bytes, proof: RecordProof, owner: Address, decided_at: int, number: int
    ) -> ReleasedRecord:
        """Check that a record is what was anchored as one version, newest or not. As `newest`."""
        self._check(record, proof)
        superseded_by = None
        try:
            verify_newest(proof, partial(self._evidence.is_newest, decided_at=decided_at))
        except RecordSuperseded as newer:
            superseded_by = newer.latest
        if proof.pointer.version != number:
            raise ProofMismatch(f"asked for version {number}, not {proof.pointer.version}")
        self._check_stream(owner, proof.pointer.topic)
        return ReleasedRecord(record=record, proof=proof, superseded_by=superseded_by)

    def receipt(self, answer: httpx.Response, patient: Address) -> SignedReceipt:
        """The steward's receipt for an answer about a patient.

        Raises:
            ReceiptMismatch: There is none, or it is for another log, or was given before.
            TransportError: The node does not answer.
        """
        text = answer.headers.get(_RECEIPT)
        if text is None:
            raise ReceiptMismatch("the gatekeeper answered without a receipt")
        try:
            signed = SignedReceipt.parse(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (binascii.Error, InvalidInput, ValueError) as error:
            raise ReceiptMismatch("the gatekeeper's receipt cannot be read") from error
        self.take(signed, patient)
        return signed

    def take(self, signed: SignedReceipt, patient: Address) -> None:
        """Check a receipt that came in an answer's body, and keep its head. Errors as `receipt`."""
        receipt = self._evidence.check_receipt(signed, self._steward)
        if receipt.relationship != relationship_key(self._steward, patient):
            raise ReceiptMismatch(f"the receipt is for another log than that of {patient}")
        with self._lock:
            heads = self.heads.setdefault(patient, {})
            if receipt.number in heads:
                raise ReceiptMismatch(
                    f"the receipt of entry {receipt.number} was given for another answer before"
                )
            heads[receipt.number] = receipt.head

    def _check(self, record: bytes, proof: RecordProof) -> None:
        if proof.pointer.steward != self._steward:
            raise ProofMismatch(f"the proof is by {proof.pointer.steward}, not by {self._steward}")
        verify_record(record, proof, self._evidence.is_anchored)

    def _check_stream(self, owner: Address, topic: Digest) -> None:
        with self._lock:  # last of all: a record that is refused fixes nothing
            stream = self._streams.setdefault(owner, topic)
        if stream != topic:
            raise ProofMismatch(f"the record is another patient's than {owner}'s")

    def _check_seen(self, owner: Address, pointer: Pointer, decided_at: int) -> None:
        """Refuse a version below one that was the newest before, whatever the chain says since.

        A steward may append an earlier state anew: then only who saw the later one can tell.
        """
        key = owner, pointer.record
        with self._lock:
            version, block = self._seen.get(key, (0, 0))
            if decided_at < block:  # an answer that another thread's has overtaken
                return
            if pointer.version < version:
                raise RecordSuperseded(pointer.version, version)
            self._seen[key] = pointer.version, decided_at
