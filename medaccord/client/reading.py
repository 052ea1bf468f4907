"""Reading records through a gatekeeper, and believing only what the chain proves."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from medaccord.client.evidence import ChainEvidence
from medaccord.client.session import Session
from medaccord.core.canonical import Object, parse_object, record_bytes
from medaccord.core.errors import InvalidDocument, ProofMismatch, ReceiptMismatch
from medaccord.core.identifiers import Address
from medaccord.core.proofs import RecordProof, verify_record
from medaccord.core.purposes import Purpose
from medaccord.core.receipts import SignedReceipt
from medaccord.fhir.answers import parse_searchset

_PURPOSE = "Purpose-Of-Use"
_RECEIPT = "Medaccord-Receipt"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedRecord:
    """A record that was released, and is what its steward anchored.

    Attributes:
        record: Its canonical bytes.
        proof: What shows it.
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


def search(
    session: Session,
    evidence: ChainEvidence,
    steward: Address,
    kind: str,
    patient: Address,
    purpose: Purpose,
    parameters: Mapping[str, str],
) -> Answer:
    """Read records of a type, following every page.

    Raises:
        AccessRefused: The gatekeeper refuses, with its reason.
        ProofMismatch: A record is not what was anchored, or comes without proof.
        ReceiptMismatch: A page comes without a receipt of the steward.
        InvalidRequest: The gatekeeper does not know a parameter.
        TransportError: The gatekeeper or the node does not answer, or badly.
    """
    headers = {_PURPOSE: purpose.value}
    query = {"patient": _named(session, patient), **parameters}
    records: list[ReleasedRecord] = []
    receipts: list[SignedReceipt] = []
    path: str | None = f"/fhir/{kind}"
    seen = set()
    while path is not None:
        seen.add(path)
        answer = session.get(path, parameters=query, headers=headers)
        receipts.append(_receipt(answer, evidence, steward))
        page = parse_searchset(answer.content)
        for entry in page.entries:
            records.append(_released(entry.record, entry.proof, evidence, steward))
        path, query = page.next_url, {}
        if path in seen:
            raise InvalidDocument("the gatekeeper's pages run in a circle")
    return Answer(records=tuple(records), receipts=tuple(receipts))


def read(
    session: Session,
    evidence: ChainEvidence,
    steward: Address,
    kind: str,
    identity: str,
    patient: Address,
    purpose: Purpose,
) -> Answer:
    """Read one record, and its proof. Errors as `search`."""
    headers, query = {_PURPOSE: purpose.value}, {"patient": _named(session, patient)}
    path = f"/fhir/{kind}/{identity}"
    answer = session.get(path, parameters=query, headers=headers)
    proved = session.get(f"{path}/$proof", parameters=query, headers=headers)
    record = record_bytes(parse_object(answer.content))
    found = _released(record, proved.content, evidence, steward)
    if found.name != f"{kind}/{identity}":
        raise ProofMismatch(f"asked for {kind}/{identity}, the gatekeeper answered {found.name}")
    receipts = tuple(_receipt(each, evidence, steward) for each in (answer, proved))
    return Answer(records=(found,), receipts=receipts)


def _named(session: Session, patient: Address) -> str:
    return f"eip155:{session.account.chain_id}:{patient}"


def _released(
    record: bytes,
    document: Mapping[str, Any] | bytes | None,
    evidence: ChainEvidence,
    steward: Address,
) -> ReleasedRecord:
    if document is None:
        raise ProofMismatch("a record came without its proof")
    proof = RecordProof.parse(document)
    if proof.pointer.steward != steward:
        raise ProofMismatch(f"the proof is by {proof.pointer.steward}, not by {steward}")
    verify_record(record, proof, evidence.is_anchored)
    return ReleasedRecord(record=record, proof=proof)


def _receipt(answer: httpx.Response, evidence: ChainEvidence, steward: Address) -> SignedReceipt:
    text = answer.headers.get(_RECEIPT)
    if text is None:
        raise ReceiptMismatch("the gatekeeper answered without a receipt")
    try:
        document = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise ReceiptMismatch("the gatekeeper's receipt cannot be read") from error
    signed = SignedReceipt.parse(document)
    evidence.check_receipt(signed, steward)
    return signed
