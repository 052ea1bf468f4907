"""What an organisation does to read: ask, read under a consent, or open an emergency."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from medaccord.chain import actions
from medaccord.chain.deployment import Contracts
from medaccord.chain.sender import Receipt, Sender
from medaccord.client.directory import steward_of
from medaccord.client.matching import MatchedPatient, match
from medaccord.client.reading import Answer, Reader
from medaccord.client.visitor import Visitor
from medaccord.core.emergency import EmergencyCode, EmergencyReason
from medaccord.core.identifiers import Address, Digest, digest, hex_digest
from medaccord.core.purposes import Purpose
from medaccord.core.requests import AccessRequest
from medaccord.core.scopes import Scope
from medaccord.core.terms import DatePeriod, Terms
from medaccord.keys.signer import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedEmergency:
    """Emergency access that was opened.

    Attributes:
        emergency_id: Its id.
        reason: What was committed to; a gatekeeper releases nothing before it was told.
        receipt: Of the transaction.
    """

    emergency_id: Digest
    reason: EmergencyReason
    receipt: Receipt


class Provider(Visitor):
    """An organisation that reads records at the gatekeeper of one steward.

    Attributes:
        account: The organisation.
        steward: The steward, as the registry confirms it.
        undisclosed: Emergency access that was opened and whose reason the gatekeeper was not told,
            by patient.
        purpose: What a token is for, unless another purpose is asked for.
    """

    purpose = Purpose.TREAT

    def __init__(
        self,
        signer: Signer,
        contracts: Contracts,
        gatekeeper: str,
        *,
        account: Address | None = None,
        http: httpx.Client | None = None,
        envelope_key: bytes | None = None,
    ) -> None:
        """Act for an organisation.

        Args:
            signer: Its controller, or a delegate.
            contracts: From `medaccord.chain.connect`.
            gatekeeper: Address of the steward's gatekeeper.
            account: The organisation; the signer's own account unless given.
            http: The client to send with, which stays open; one of its own unless given.
            envelope_key: X25519 private key, 32 bytes, of the public one that the organisation has
                in the Registry: records come sealed to it then, and are opened here.

        Raises:
            InvalidRequest: The gatekeeper is no steward's.
            TransportError: The gatekeeper or the node does not answer.
        """
        super().__init__(signer, contracts, gatekeeper, account=account, http=http)
        self.undisclosed: dict[Address, OpenedEmergency] = {}
        try:
            self.steward = steward_of(self._api, contracts)
        except BaseException:
            self.close()
            raise
        self._reader = Reader(
            self._session, self._evidence, self.steward, envelope_key=envelope_key
        )

    def terms(
        self,
        *scopes: Scope | str,
        purposes: Iterable[Purpose] = (Purpose.TREAT,),
        period: DatePeriod | None = None,
        include_undated: bool = False,
    ) -> Terms:
        """Fresh terms about records of this steward, to ask for.

        Args:
            *scopes: SMART scopes, such as ``patient/Observation.rs?category=laboratory``.
            purposes: What for.
            period: The days the records may be about; any unless given.
            include_undated: Whether records that tell no day are covered.

        Raises:
            InvalidScope: A scope is malformed, or not among those granted here.
            InvalidTerms: There is no scope, or no purpose.
        """
        return Terms(
            stewards=(self._contracts.account_id(self.steward),),
            scopes=tuple(Scope.parse(str(scope)) for scope in scopes),
            purposes=tuple(purposes),
            period=period,
            include_undated=include_undated,
            salt=digest(os.urandom(32)),
        )

    def request(
        self,
        patient: Address,
        terms: Terms,
        *,
        valid_until: datetime,
        valid_from: datetime | None = None,
    ) -> Digest:
        """Ask a patient for access, through the inbox at the steward.

        Args:
            patient: The patient's account.
            terms: What is asked for.
            valid_until: End of the consent asked for, excluded; in whole seconds, rounded down.
            valid_from: Its start, likewise; now unless given.

        Returns:
            Digest of the request.

        Raises:
            InvalidRequest: The request makes no sense.
            AccessRefused: The gatekeeper has no such patient, or takes no requests of this account.
            TransportError: The gatekeeper does not answer.
        """
        name = self._contracts.account_id
        now = self._network.clock().replace(microsecond=0)
        request = AccessRequest(
            requester=name(self.account),
            patient=name(patient),
            steward=name(self.steward),
            terms=terms,
            valid_from=(valid_from or now).replace(microsecond=0),
            valid_until=valid_until.replace(microsecond=0),
            issued_at=now,
            nonce=digest(os.urandom(32)),
        )
        message = request.typed(self._contracts.off_chain_domain)
        self._api.post(
            "/requests",
            {
                "request": request.document(),
                "by": self._signer.address,
                "signature": "0x" + self._signer.sign(message).hex(),
            },
        )
        return message.digest()

    def search(
        self, kind: str, patient: Address, *, purpose: Purpose = Purpose.TREAT, **parameters: str
    ) -> Answer:
        """Read a patient's records of a type, following every page.

        Each record's proof is checked against the chain, each page's receipt against the steward.

        Args:
            kind: Type of FHIR R4, such as ``Observation``.
            patient: The patient's account.
            purpose: What for.
            **parameters: Search parameters, such as ``category="laboratory"``.

        Raises:
            AccessRefused: The gatekeeper refuses, with its reason.
            ProofMismatch: A record is not what its steward anchored, is another patient's than
                those read before, or was not asked for.
            ReceiptMismatch: A page comes without a receipt of the steward, or with an old one.
            InvalidRequest: The gatekeeper does not know a parameter.
            TransportError: The gatekeeper or the node does not answer, or badly.
        """
        return self._reader.search(kind, patient, purpose, parameters)

    def read(
        self, kind: str, identity: str, patient: Address, *, purpose: Purpose = Purpose.TREAT
    ) -> Answer:
        """Read one record and its proof. Errors as `search`."""
        return self._reader.read(kind, identity, patient, purpose)

    def vread(
        self,
        kind: str,
        identity: str,
        version: int,
        patient: Address,
        *,
        purpose: Purpose = Purpose.TREAT,
    ) -> Answer:
        """Read one version of a record; the record says what superseded it. Errors as `search`."""
        return self._reader.vread(kind, identity, version, patient, purpose)

    def pages(
        self, kind: str, patient: Address, *, purpose: Purpose = Purpose.TREAT, **parameters: str
    ) -> Iterator[Answer]:
        """As `search`, page by page; each is asked for when the one before was taken."""
        return self._reader.pages(kind, patient, purpose, parameters)

    def everything(
        self,
        identity: str,
        patient: Address,
        *,
        purpose: Purpose = Purpose.TREAT,
        **parameters: str,
    ) -> Answer:
        """Read all of a patient's records that may be released, and what they refer to.

        Args:
            identity: The ``Patient.id``, as records refer to it.
            patient: The patient's account.
            purpose: What for.
            **parameters: Such as ``_type="Condition"``, ``start="2025"`` or ``_since``.

        Raises:
            AccessRefused: And the rest, as `search`.
        """
        return self._reader.everything(identity, patient, purpose, parameters)

    def match(
        self,
        described: Mapping[str, Any],
        *,
        purpose: Purpose = Purpose.ETREAT,
        certain_only: bool = False,
    ) -> tuple[MatchedPatient, ...]:
        """Find the account of a patient in an emergency, to open access for it.

        Args:
            described: A Patient resource with identifiers, or with name and whole day of birth.
            purpose: ETREAT or BTG.
            certain_only: Whether identifiers alone count.

        Returns:
            Whom the steward takes it for, the surest first; nobody where nobody fits, or all that
            do forbade emergency access.

        Raises:
            AccessRefused: This organisation may not ask, or not for this purpose.
            InvalidRequest: It names too little, or too many attempts were made.
            ReceiptMismatch: Somebody is named without a receipt for the line in their log.
            TransportError: The gatekeeper or the node does not answer, or badly.
        """
        return match(
            self._session,
            self._reader.belief,
            described,
            purpose=purpose,
            certain_only=certain_only,
        )

    def open_emergency(
        self, sender: Sender, patient: Address, code: EmergencyCode, duration: timedelta
    ) -> OpenedEmergency:
        """Open emergency access, and tell the steward's gatekeeper why.

        Args:
            sender: Pays for the transaction.
            patient: The patient's account.
            code: The reason.
            duration: How long, at most what the deployment allows.

        Raises:
            ContractReverted: No role, forbidden, barred, open already, or too long.
            TransportError: The gatekeeper or the node does not answer. What was opened stays open,
                and stands in `undisclosed`: hand its reason in with `disclose`.
        """
        reason = EmergencyReason(code=code, salt=digest(os.urandom(32)))
        action = actions.open_emergency(
            self._contracts,
            patient=patient,
            grantee=self.account,
            reason=reason.commitment,
            valid_until=self._network.clock() + duration,
            by=self._signer.address,
        )
        receipt = actions.submit(sender, actions.signed(action, self._signer))
        opened = OpenedEmergency(emergency_id=action.digest, reason=reason, receipt=receipt)
        self.undisclosed[patient] = opened
        self.disclose(patient, opened)
        return opened

    def disclose(self, patient: Address, opened: OpenedEmergency) -> None:
        """Tell the gatekeeper the reason of an emergency; it releases nothing before.

        Raises:
            AccessRefused: It is over, or the gatekeeper has no such patient.
            TransportError: The gatekeeper does not answer.
        """
        self._session.post(
            "/openings/emergency",
            {
                "patient": patient,
                "emergency": hex_digest(opened.emergency_id),
                "reason": opened.reason.document(),
            },
        )
        self.undisclosed.pop(patient, None)
