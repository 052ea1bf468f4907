"""Reading records through a gatekeeper, and believing only what the chain proves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import httpx
from eth_utils.crypto import keccak

from medaccord.client.believing import Belief, ReleasedRecord
from medaccord.client.evidence import ChainEvidence
from medaccord.client.gatekeeper_api import Query, reading_answer
from medaccord.client.pages import Page, RecordPages
from medaccord.client.session import Session
from medaccord.core.canonical import parse_object, record_bytes
from medaccord.core.envelopes import MEDIA_TYPE, Envelope, EnvelopeSet
from medaccord.core.errors import ProofMismatch, TransportError
from medaccord.core.identifiers import Address, Digest
from medaccord.core.proofs import RecordProof
from medaccord.core.purposes import Purpose
from medaccord.core.receipts import SignedReceipt
from medaccord.fhir.answers import parse_searchset
from medaccord.fhir.resource import DIRECTORY_TYPES

_PURPOSE = "Purpose-Of-Use"
_ASKED = 2  # receipts of one attempt to read a record: of the record, and of its proof


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    record: bytes
    proof: RecordProof
    included: bool = False

    def check_place(self) -> None:
        """Check that what is included is the steward's own, and nothing else is."""
        kind = parse_object(self.record).get("resourceType")
        if self.included != (kind in DIRECTORY_TYPES):
            raise ProofMismatch(f"a {kind} stands in the answer where none belongs")


class Reader:
    """Reads at one gatekeeper for one account; `Belief` says what it takes for true.

    Attributes:
        belief: What was seen, and must stay so.
    """

    def __init__(
        self,
        session: Session,
        evidence: ChainEvidence,
        steward: Address,
        *,
        envelope_key: bytes | None = None,
    ) -> None:
        """Read at the gatekeeper of a steward.

        Args:
            session: Who asks.
            evidence: Looks up on the chain what is proven.
            steward: Whose gatekeeper it is.
            envelope_key: X25519 private key, 32 bytes, that belongs to the one in the Registry:
                with it records come sealed to it, and are opened and checked here.
        """
        self.belief = Belief(evidence, steward)
        self._session = session
        self._steward = steward
        self._key = envelope_key

    @property
    def heads(self) -> dict[Address, dict[int, Digest]]:
        """Heads of the steward's logs as its receipts name them, by patient and number."""
        return self.belief.heads

    def search(
        self, kind: str, patient: Address, purpose: Purpose, parameters: Query
    ) -> RecordPages:
        """Find records of a type; the first page is read at once, each other when it is wanted.

        Raises:
            AccessRefused: The gatekeeper refuses, with its reason.
            RecordSuperseded: A record is an older version than the one that was anchored as the
                newest.
            ProofMismatch: A record is not what was anchored, comes without proof, or was not asked
                for; or nothing shows that it is the newest version.
            DecryptionFailed: An envelope is not to this key, or was changed.
            ReceiptMismatch: A page comes without a receipt of the steward, or with an old one.
            InvalidRequest: The gatekeeper does not know a parameter.
            TransportError: The gatekeeper or the node does not answer, or badly.
        """
        query = {"patient": self._named(patient), **parameters}
        return RecordPages(self._of_type(kind, query, patient, purpose))

    def everything(
        self, identity: str, patient: Address, purpose: Purpose, parameters: Query
    ) -> RecordPages:
        """Find all of a patient's records, and what they refer to.

        Args:
            identity: The ``Patient.id``.
            patient: The account.
            purpose: What for.
            parameters: Such as ``_type`` or ``start``.

        Raises:
            AccessRefused: And the rest, as `search`.
        """
        path = f"/fhir/Patient/{identity}/$everything"
        query = {"patient": self._named(patient), **parameters}
        return RecordPages(self._pages(path, query, patient, purpose))

    def read(self, kind: str, identity: str, patient: Address, purpose: Purpose) -> ReleasedRecord:
        """Read one record, and its proof. Errors as `search`."""
        name = f"{kind}/{identity}"
        return self._one(f"/fhir/{name}", name, patient, purpose)

    def vread(
        self, kind: str, identity: str, version: int, patient: Address, purpose: Purpose
    ) -> ReleasedRecord:
        """Read one version of a record, superseded or not. Errors as `search`."""
        name = f"{kind}/{identity}"
        path = f"/fhir/{name}/_history/{version}"
        return self._one(path, name, patient, purpose, version=version)

    def _one(
        self,
        path: str,
        name: str,
        patient: Address,
        purpose: Purpose,
        *,
        version: int | None = None,
    ) -> ReleasedRecord:
        query = {"patient": self._named(patient)}
        receipts: list[SignedReceipt] = []
        while True:
            asked_at = self.belief.now()
            answer = self._get(path, query, purpose)
            receipts.append(self.belief.receipt(answer, patient))
            if self._key is not None:
                entry = self._opened(self._envelope(answer))
                break
            with self._reading():
                record = record_bytes(parse_object(answer.content))
            asked_at = self.belief.now()
            proved = self._get(f"{path}/$proof", query, purpose)
            entry = _Entry(record=record, proof=self._proof(proved.content))
            receipts.append(self.belief.receipt(proved, patient))
            # Between the two a newer version may have come: then the next two fit.
            if keccak(record) == entry.proof.pointer.plaintext or len(receipts) > _ASKED:
                break
        block = self.belief.decided_at(receipts[-1], asked_at)
        owner = self._owner(name, patient)
        if version is None:
            found = self.belief.newest(entry.record, entry.proof, owner, block)
        else:
            found = self.belief.version(entry.record, entry.proof, owner, block, version)
        if found.name != name:
            raise ProofMismatch(f"asked for {name}, the gatekeeper answered {found.name}")
        return replace(found, receipts=tuple(receipts))

    def _of_type(
        self, kind: str, query: Query, patient: Address, purpose: Purpose
    ) -> Iterator[Page]:
        for page in self._pages(f"/fhir/{kind}", query, patient, purpose):
            for each in page.records:
                if not each.name.startswith(f"{kind}/"):
                    raise ProofMismatch(f"asked for {kind}, the gatekeeper answered {each.name}")
            yield page

    def _pages(
        self, first: str, query: Query, patient: Address, purpose: Purpose
    ) -> Iterator[Page]:
        seen: set[str] = set()
        path: str | None = first
        while path is not None:
            asked_at = self.belief.now()
            answer = self._get(path, query, purpose)
            entries, total, path = self._page(answer)
            receipt = self.belief.receipt(answer, patient)
            block = self.belief.decided_at(receipt, asked_at)
            for each in entries:
                each.check_place()
            checked = [
                replace(
                    self.belief.newest(
                        each.record,
                        each.proof,
                        self._steward if each.included else patient,
                        block,
                    ),
                    receipts=(receipt,),
                )
                for each in entries
            ]
            parts: dict[bool, list[ReleasedRecord]] = {True: [], False: []}
            for entry, record in zip(entries, checked, strict=True):
                parts[entry.included].append(record)
            names = {each.name for each in parts[False]}
            if names & seen or (path and not names):
                raise TransportError(f"the pages of {self._session.api.url} run in a circle")
            seen, query = seen | names, {}
            yield Page(
                records=tuple(parts[False]),
                receipt=receipt,
                included=tuple(parts[True]),
                total=total,
            )

    def _page(self, answer: httpx.Response) -> tuple[list[_Entry], int, str | None]:
        if self._key is not None:
            with self._reading():
                sealed = EnvelopeSet.parse(answer.content)
            opened = [self._opened(each) for each in sealed.envelopes]
            return opened, sealed.total, sealed.next_url
        with self._reading():
            page = parse_searchset(answer.content)
        entries = [
            _Entry(
                record=each.record,
                proof=self._proof(each.proof),
                included=each.mode == "include",
            )
            for each in page.entries
        ]
        return entries, page.total, page.next_url

    def _opened(self, envelope: Envelope) -> _Entry:
        assert self._key is not None  # whoever calls has looked
        opened = envelope.open(self._key)
        kind = envelope.record.partition("/")[0]
        return _Entry(record=opened.record, proof=opened.proof, included=kind in DIRECTORY_TYPES)

    def _envelope(self, answer: httpx.Response) -> Envelope:
        with self._reading():
            return Envelope.parse(answer.content)

    def _get(self, path: str, query: Query, purpose: Purpose) -> httpx.Response:
        headers = {_PURPOSE: purpose.value}
        if self._key is not None:
            headers["Accept"] = MEDIA_TYPE
        return self._session.get(path, parameters=query, headers=headers, purpose=purpose)

    def _owner(self, name: str, patient: Address) -> Address:
        """Whose stream a record stands in: practitioners and the like are the steward's own."""
        return self._steward if name.partition("/")[0] in DIRECTORY_TYPES else patient

    def _named(self, patient: Address) -> str:
        return f"eip155:{self._session.account.chain_id}:{patient}"

    def _reading(self) -> AbstractContextManager[None]:
        return reading_answer(self._session.api.url)

    def _proof(self, document: Mapping[str, Any] | bytes | None) -> RecordProof:
        if document is None:
            raise ProofMismatch("a record came without its proof")
        with self._reading():
            return RecordProof.parse(document)
