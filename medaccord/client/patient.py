"""What a patient does: enrol, answer requests, revoke, and see who looked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

import httpx
from eth_utils.crypto import keccak

from medaccord.chain import actions
from medaccord.chain.actions import NOBODY
from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Power
from medaccord.chain.reverts import translated
from medaccord.chain.values import seconds
from medaccord.client.audit_log import VerifiedLog, fetch_log
from medaccord.client.directory import Directory, steward_of
from medaccord.client.gatekeeper_api import json_object, reading_answer
from medaccord.client.history import GivenConsent, SeenEmergency, consents_of, emergencies_of
from medaccord.client.inbox import ReceivedRequest, read_inbox
from medaccord.client.reading import Answer, Reader
from medaccord.client.relay import Relayed, relay
from medaccord.client.visitor import Visitor
from medaccord.core.documents import DocumentReader
from medaccord.core.emergency import EmergencyReason
from medaccord.core.errors import CommitmentMismatch, InvalidRequest
from medaccord.core.identifiers import (
    ZERO_DIGEST,
    Address,
    ConsentId,
    Digest,
    digest,
    hex_digest,
)
from medaccord.core.log_filter import LogFilter
from medaccord.core.purposes import Purpose
from medaccord.core.receipts import SignedReceipt
from medaccord.core.terms import Terms
from medaccord.core.typed_data import typed
from medaccord.keys.signer import Signer

_ENROLMENT_LIFE: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """An account that was tied to a patient of the steward.

    As a rule the proposal is mined by now. A gatekeeper where many wait already does not wait for
    that: then accepting is refused (`ContractReverted`) until it is mined.

    Attributes:
        round: Round of the relationship that the steward proposed.
        transaction: Hash of the transaction that proposed it.
    """

    round: int
    transaction: Digest


class Patient(Visitor):
    """One account of a patient, at the steward whose gatekeeper it speaks to.

    The account needs no money: everything it signs is sent by the gatekeeper.

    Attributes:
        account: The account.
        directory: Names of organisations, checked against the registry.
        purpose: What a token is for, unless another purpose is asked for.
    """

    purpose = Purpose.PATRQT

    def __init__(
        self,
        signer: Signer,
        contracts: Contracts,
        gatekeeper: str,
        *,
        account: Address | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        """Act for an account.

        Args:
            signer: Its controller, or a delegate.
            contracts: From `medaccord.chain.connect`.
            gatekeeper: Address of the steward's gatekeeper.
            account: The account; the signer's own unless given.
            http: The client to send with, which stays open; one of its own unless given.
        """
        super().__init__(signer, contracts, gatekeeper, account=account, http=http)
        self.directory = Directory(contracts, self._api)
        self._log: VerifiedLog | None = None

    @cached_property
    def steward(self) -> Address:
        """The organisation whose gatekeeper it is: as it says, and as the registry confirms.

        Raises:
            InvalidRequest: The registry knows no such steward.
            TransportError: The gatekeeper or the node does not answer.
        """
        return steward_of(self._api, self._contracts)

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._session, self._evidence, self.steward)

    def balance(self) -> int:
        """Money of the account, in wei: zero all along, unless somebody sent it some."""
        with translated():
            return int(self._network.web3.eth.get_balance(self.account))

    # --- the relationship ---

    def enrol(self, code: str) -> Enrolled:
        """Tie the account to oneself with the one-time code the steward gave.

        Returns:
            What the steward proposed; `accept` makes it a relationship.

        Raises:
            InvalidRequest: The code opens nothing, or the account is enrolled already.
            TransportError: The gatekeeper does not answer, or badly.
        """
        deadline = self._network.clock().replace(microsecond=0) + _ENROLMENT_LIFE
        message = typed(
            self._contracts.off_chain_domain,
            "Enrolment",
            account=self.account,
            steward=self.steward,
            code=digest(keccak(text=code)),
            deadline=seconds(deadline),
        )
        answer = self._api.post(
            "/enrolments",
            {
                "account": self.account,
                "by": self._signer.address,
                "code": code,
                "deadline": deadline.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "signature": "0x" + self._signer.sign(message).hex(),
            },
        )
        with reading_answer(self._api.url):
            reader = DocumentReader(
                answer, what="the answer", required=("round", "transaction"), optional=answer
            )
            return Enrolled(
                round=reader.integer("round", minimum=1), transaction=reader.digest("transaction")
            )

    def accept(self) -> Relayed:
        """Accept the steward's proposal to keep records."""
        return self._step(actions.accept)

    def decline(self) -> Relayed:
        """Decline it."""
        return self._step(actions.decline)

    def end(self) -> Relayed:
        """End the relationship: nothing more is released."""
        return self._step(actions.end)

    # --- requests and consents ---

    def inbox(self) -> list[ReceivedRequest]:
        """Requests that await an answer, each checked and put in words.

        Raises:
            SignatureMismatch: The gatekeeper shows a request that its requester did not sign.
            VerificationFailed: It shows a request made to somebody else.
            AccessRefused: The key may not read for the account.
            TransportError: The gatekeeper or the node does not answer, or badly.
        """
        return read_inbox(self._session, self._contracts, self.directory)

    def grant(
        self,
        received: ReceivedRequest,
        *,
        terms: Terms | None = None,
        valid_until: datetime | None = None,
    ) -> Relayed:
        """Consent to a request, as asked or to less.

        Args:
            received: From `inbox`.
            terms: Narrower terms with a fresh salt; those asked for unless given.
            valid_until: An earlier end; the one asked for unless given.

        Returns:
            What was relayed; the digest of its action is the consent's id.

        Raises:
            InvalidRequest: The terms or the end are wider than what was asked for.
            ContractReverted: The chain refuses.
            TransportError: The gatekeeper does not answer.
        """
        request = received.request
        terms, until = terms or request.terms, valid_until or request.valid_until
        if not terms.narrows(request.terms) or until > request.valid_until:
            raise InvalidRequest("this is more than was asked for: use grant_to to offer it")
        return self.grant_to(
            request.requester.address,
            terms,
            valid_from=request.valid_from,
            valid_until=until,
            request=received.digest,
        )

    def grant_to(
        self,
        grantee: Address,
        terms: Terms,
        *,
        valid_from: datetime,
        valid_until: datetime,
        request: Digest = ZERO_DIGEST,
    ) -> Relayed:
        """Consent without having been asked. Errors as `grant`."""
        action = actions.grant(
            self._contracts,
            patient=self.account,
            grantee=grantee,
            terms=terms.commitment,
            valid_from=valid_from,
            valid_until=valid_until,
            request=request,
            by=self._signer.address,
        )
        return relay(self._api, action, self._signer, terms=terms.document())

    def consents(self) -> list[GivenConsent]:
        """Every consent this account gave, in the order of the chain, ended ones included."""
        return consents_of(self._contracts, self.account)

    def revoke(self, consent_id: ConsentId, *, wait: bool = True) -> Relayed:
        """Revoke a consent for good.

        Args:
            consent_id: Which.
            wait: Whether to wait until it is mined; the gatekeeper obeys at once either way.
        """
        action = actions.revoke(
            self._contracts, patient=self.account, consent_id=consent_id, by=self._signer.address
        )
        return relay(self._api, action, self._signer, wait=wait)

    def revoke_all(self) -> Relayed:
        """End every consent, emergency access and delegation of the account."""
        action = actions.revoke_all(self._contracts, account=self.account, by=self._signer.address)
        return relay(self._api, action, self._signer)

    # --- emergencies ---

    def emergencies(self) -> list[SeenEmergency]:
        """Emergency access opened to this account's records, read from the chain itself."""
        return emergencies_of(self._contracts, self.account)

    def reason_of(self, seen: SeenEmergency) -> EmergencyReason:
        """Why emergency access was opened, as the organisation told the gatekeeper.

        Args:
            seen: From `emergencies`.

        Raises:
            CommitmentMismatch: What the gatekeeper shows is not what was committed to on chain.
            InvalidRequest: The reason was not told yet; nothing is released before.
            AccessRefused: The key may not read for the account.
            TransportError: The gatekeeper does not answer, or badly.
        """
        answer = json_object(self._session.get("/openings"))
        told = answer.get("emergencies")
        document = told.get(hex_digest(seen.emergency_id)) if isinstance(told, dict) else None
        if document is None:
            raise InvalidRequest("the reason was not told to this gatekeeper: nothing was released")
        with reading_answer(self._api.url):
            reason = EmergencyReason.parse(document)
        if reason.commitment != seen.reason:
            raise CommitmentMismatch("this is not the reason that was committed to on chain")
        return reason

    def close_emergency(self, grantee: Address) -> Relayed:
        """End an organisation's emergency access, and bar it until allowed again."""
        action = actions.close_emergency(
            self._contracts, patient=self.account, grantee=grantee, by=self._signer.address
        )
        return relay(self._api, action, self._signer)

    def forbid_emergency(self) -> Relayed:
        """End all emergency access, and forbid more."""
        action = actions.forbid_emergency(
            self._contracts, patient=self.account, by=self._signer.address
        )
        return relay(self._api, action, self._signer)

    def allow_emergency(self, grantee: Address = NOBODY) -> Relayed:
        """Lift the bar of one organisation, or, unless one is named, the ban of all."""
        action = actions.allow_emergency(
            self._contracts, patient=self.account, grantee=grantee, by=self._signer.address
        )
        return relay(self._api, action, self._signer)

    # --- who else may act ---

    def delegate(self, key: Address, powers: Power, *, until: datetime) -> Relayed:
        """Let another key, a carer's for example, use some powers of the account.

        Args:
            key: Which; it acts with ``account=`` this account.
            powers: Those it has from now on, and no others; READ lets it sign in.
            until: The end, excluded.
        """
        action = actions.delegate(
            self._contracts,
            account=self.account,
            delegate=key,
            powers=powers,
            until=until,
            by=self._signer.address,
        )
        return relay(self._api, action, self._signer)

    def undelegate(self, key: Address) -> Relayed:
        """Take a key's powers away."""
        action = actions.undelegate(
            self._contracts, account=self.account, delegate=key, by=self._signer.address
        )
        return relay(self._api, action, self._signer)

    # --- one's own records, and who looked ---

    def search(self, kind: str, **parameters: str) -> Answer:
        """Read one's own records of a type; see `Provider.search`."""
        return self._reader.search(kind, self.account, Purpose.PATRQT, parameters)

    def read(self, kind: str, identity: str) -> Answer:
        """Read one record of one's own; see `Provider.read`."""
        return self._reader.read(kind, identity, self.account, Purpose.PATRQT)

    def vread(self, kind: str, identity: str, version: int) -> Answer:
        """Read one version of a record of one's own; see `Provider.vread`."""
        return self._reader.vread(kind, identity, version, self.account, Purpose.PATRQT)

    def everything(self, identity: str, **parameters: str) -> Answer:
        """Read all of one's own records; see `Provider.everything`."""
        return self._reader.everything(identity, self.account, Purpose.PATRQT, parameters)

    def audit(self, wanted: LogFilter | None = None) -> VerifiedLog:
        """Who looked, when, why, and what was refused; checked against the chain.

        It is also checked against what this object saw of the log before, and against the receipts
        of the reads it made itself.

        Args:
            wanted: Which lines to show; all of them unless given.

        Raises:
            LogMismatch: A line was changed, dropped, added or moved; it says which.
            ProofMismatch: The chain does not hold what the gatekeeper says it anchored.
            AccessRefused: The key may not read for the account.
            TransportError: The gatekeeper or the node does not answer.
        """
        log = fetch_log(
            self._session,
            self._evidence,
            self.steward,
            before=self._log,
            receipts=self._reader.heads.get(self.account, {}),
            wanted=wanted,
        )
        if wanted is None:
            self._log = log
        return log

    def check_receipt(self, signed: SignedReceipt) -> None:
        """Check that the log holds what somebody else holds a receipt for. Errors as `audit`.

        Raises:
            ReceiptMismatch: It does not: that answer was never logged, or its line was taken away.
            SignatureMismatch: The receipt is not the steward's.
        """
        receipt = self._evidence.check_receipt(signed, self.steward)
        self.audit().check_receipt(receipt)

    def _step(self, step: actions.Step) -> Relayed:
        action = step(
            self._contracts,
            patient=self.account,
            steward=self.steward,
            account=self.account,
            by=self._signer.address,
        )
        return relay(self._api, action, self._signer)
