"""Reading records through a gatekeeper, and believing only what the chain proves."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any

import httpx
from eth_utils.crypto import keccak

from medaccord.client.evidence import ChainEvidence
from medaccord.client.gatekeeper_api import reading_answer
from medaccord.client.session import Session
from medaccord.core.audit import relationship_key
from medaccord.core.canonical import Object, parse_object, record_bytes
from medaccord.core.errors import (
    InvalidInput,
    ProofMismatch,
    ReceiptMismatch,
    RecordSuperseded,
    TransportError,
)
from medaccord.core.identifiers import Address, Digest
from medaccord.core.pointers import Pointer
from medaccord.core.proofs import RecordProof, verify_newest, verify_record
from medaccord.core.purposes import Purpose
from medaccord.core.receipts import SignedReceipt
from medaccord.fhir.answers import parse_searchset

_PURPOSE = "Purpose-Of-Use"
_RECEIPT = "Medaccord-Receipt"
_ASKED = 2  # receipts of one attempt to read a record: of the record, and of its proof


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedRecord:
    """A record that was released: what its steward anchored, and the newest version of it.

    Attributes:
        record: Its canonical bytes.
        proof: What shows both.
    """

    record: bytes
    proof: RecordProof

    @property
    def resource(self) -> Object:
        """The record, read losslessly: numbers are `Number`, as they were written."""
        return parse_object(self.record)

    @property
    def name(self) -> str:
        """Its name, ``Type/id``."""
        resource = self.resource
        return f"{resource['resourceType']}/{resource['id']}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a gatekeeper answered, all pages together.

    Attributes:
        records: The records released, each checked.
        receipts: The steward's signed receipts, one a page. Keep them: they show what was logged.
    """

    records: tuple[ReleasedRecord, ...]
    receipts: tuple[SignedReceipt, ...]


class Reader:
    """Reads at one gatekeeper for one account, and remembers what must stay as it was.

    Whose records a stream holds, the chain does not tell. So the first record that is read for a
    patient fixes the patient's stream: records of two patients are never taken for one's. And a
    version once seen is never taken back: an older one that is served later is refused.

    Attributes:
        heads: Heads of the steward's logs as its receipts name them, by patient and number.
    """

    def __init__(self, session: Session, evidence: ChainEvidence, steward: Address) -> None:
        """Read at the gatekeeper of a steward."""
        self.heads: dict[Address, dict[int, Digest]] = {}
        self._session = session
        self._evidence = evidence
        self._steward = steward
        self._streams: dict[Address, Digest] = {}
        self._seen: dict[tuple[Address, Digest], tuple[int, int]] = {}
        self._lock = Lock()

    def search(
        self, kind: str, patient: Address, purpose: Purpose, parameters: Mapping[str, str]
    ) -> Answer:
        """Read records of a type, following every page.

        Raises:
            AccessRefused: The gatekeeper refuses, with its reason.
            RecordSuperseded: A record is an older version than the one that was anchored as the
                newest.
            ProofMismatch: A record is not what was anchored, comes without proof, or was not asked
                for; or nothing shows that it is the newest version.
            ReceiptMismatch: A page comes without a receipt of the steward, or with an old one.
            InvalidRequest: The gatekeeper does not know a parameter.
            TransportError: The gatekeeper or the node does not answer, or badly.
        """
        records: dict[str, ReleasedRecord] = {}
        receipts: list[SignedReceipt] = []
        path: str | None = f"/fhir/{kind}"
        query = {"patient": self._named(patient), **parameters}
        while path is not None:
            asked_at = self._evidence.now()
            answer = self._session.get(
                path, parameters=query, headers={_PURPOSE: purpose.value}, purpose=purpose
            )
            with self._reading():
                page = parse_searchset(answer.content)
            receipts.append(self._receipt(answer, patient))
            block = self._decided_at(receipts[-1], asked_at)
            found = [
                self._released(entry.record, self._proof(entry.proof), patient, block)
                for entry in page.entries
            ]
            for each in found:
                if not each.name.startswith(f"{kind}/"):
                    raise ProofMismatch(f"asked for {kind}, the gatekeeper answered {each.name}")
            path, query = page.next_url, {}
            again = [each.name for each in found if each.name in records]
            if again or (path and not found):
                raise TransportError(f"the pages of {self._session.api.url} run in a circle")
            records |= {each.name: each for each in found}
        return Answer(records=tuple(records.values()), receipts=tuple(receipts))

    def read(self, kind: str, identity: str, patient: Address, purpose: Purpose) -> Answer:
        """Read one record, and its proof. Errors as `search`."""
        headers, query = {_PURPOSE: purpose.value}, {"patient": self._named(patient)}
        path = f"/fhir/{kind}/{identity}"
        receipts: list[SignedReceipt] = []
        while True:
            answer = self._session.get(path, parameters=query, headers=headers, purpose=purpose)
            with self._reading():
                record = record_bytes(parse_object(answer.content))
            receipts.append(self._receipt(answer, patient))
            asked_at = self._evidence.now()
            proved = self._session.get(
                f"{path}/$proof", parameters=query, headers=headers, purpose=purpose
            )
            proof = self._proof(proved.content)
            receipts.append(self._receipt(proved, patient))
            # Between the two a newer version may have come: then the next two fit.
            if keccak(record) == proof.pointer.plaintext or len(receipts) > _ASKED:
                break
        found = self._released(record, proof, patient, self._decided_at(receipts[-1], asked_at))
        if found.name != f"{kind}/{identity}":
            raise ProofMismatch(
                f"asked for {kind}/{identity}, the gatekeeper answered {found.name}"
            )
        return Answer(records=(found,), receipts=tuple(receipts))

    def _named(self, patient: Address) -> str:
        return f"eip155:{self._session.account.chain_id}:{patient}"

    def _reading(self) -> AbstractContextManager[None]:
        return reading_answer(self._session.api.url)

    def _proof(self, document: Mapping[str, Any] | bytes | None) -> RecordProof:
        if document is None:
            raise ProofMismatch("a record came without its proof")
        with self._reading():
            return RecordProof.parse(document)

    def _decided_at(self, signed: SignedReceipt, asked_at: datetime) -> int:
        return self._evidence.check_block(signed.receipt.block_number, asked_at=asked_at)

    def _released(
        self, record: bytes, proof: RecordProof, patient: Address, decided_at: int
    ) -> ReleasedRecord:
        pointer = proof.pointer
        if pointer.steward != self._steward:
            raise ProofMismatch(f"the proof is by {pointer.steward}, not by {self._steward}")
        verify_record(record, proof, self._evidence.is_anchored)
        verify_newest(proof, partial(self._evidence.is_newest, decided_at=decided_at))
        with self._lock:  # last of all: a record that is refused fixes nothing
            stream = self._streams.setdefault(patient, pointer.topic)
        if stream != pointer.topic:
            raise ProofMismatch(f"the record is another patient's than {patient}'s")
        self._check_seen(patient, pointer, decided_at)
        return ReleasedRecord(record=record, proof=proof)

    def _check_seen(self, patient: Address, pointer: Pointer, decided_at: int) -> None:
        """Refuse a version below one that was the newest before, whatever the chain says since.

        A steward may append an earlier state anew: then only who saw the later one can tell.
        """
        key = patient, pointer.record
        with self._lock:
            version, block = self._seen.get(key, (0, 0))
            if decided_at < block:  # an answer that another thread's has overtaken
                return
            if pointer.version < version:
                raise RecordSuperseded(pointer.version, version)
            self._seen[key] = pointer.version, decided_at

    def _receipt(self, answer: httpx.Response, patient: Address) -> SignedReceipt:
        text = answer.headers.get(_RECEIPT)
        if text is None:
            raise ReceiptMismatch("the gatekeeper answered without a receipt")
        try:
            signed = SignedReceipt.parse(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (binascii.Error, InvalidInput, ValueError) as error:
            raise ReceiptMismatch("the gatekeeper's receipt cannot be read") from error
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
        return signed
