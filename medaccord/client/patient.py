"""What a patient does: enrol, answer requests, revoke, and see who looked."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import httpx

from medaccord.chain.deployment import Contracts
from medaccord.chain.reverts import translated
from medaccord.chain.sender import Sender
from medaccord.client.audit import PatientAudit
from medaccord.client.consents import PatientConsents
from medaccord.client.delegates import Delegates
from medaccord.client.emergency import PatientEmergency
from medaccord.client.exporting import ExportedFile, PatientExport
from medaccord.client.inbox import PatientInbox
from medaccord.client.reading import Reader
from medaccord.client.records import OwnRecords
from medaccord.client.recovery import Recovery
from medaccord.client.relationships import PatientRelationships
from medaccord.client.visitor import Visitor
from medaccord.core.identifiers import Address
from medaccord.core.purposes import Purpose
from medaccord.keys.signer import Signer


class Patient(Visitor):
    """One account of a patient, at the steward whose gatekeeper it speaks to.

    The account needs no money: what it signs is sent by the gatekeeper.

    Attributes:
        relationships: Who keeps records: enrol, accept, decline, end.
        inbox: What organisations ask for.
        consents: What was given, to whom, and taking it back.
        records: The patient's own, to read.
        audit: Who looked, when and why, checked against the chain.
        delegates: Who else may act.
        emergency: Emergency access: seen, closed, forbidden, allowed.
        recovery: Guardians, and handing the account to another key.
    """

    purpose = Purpose.PATRQT

    def __init__(
        self,
        signer: Signer,
        contracts: Contracts,
        gatekeeper: str,
        *,
        account: Address | None = None,
        sender: Sender | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        """Act for an account; nothing is sent yet.

        Args:
            signer: Its controller, or a delegate.
            contracts: From `medaccord.connect`.
            gatekeeper: Address of the steward's gatekeeper.
            account: The account; the signer's own unless given.
            sender: Pays for what the gatekeeper does not relay: to propose a relationship, to
                cancel a recovery, and whatever else but a consent where the gatekeeper has no such
                patient, or does not answer. Whoever watches sees who paid.
            http: The client to send with, which stays open; one of its own unless given.
        """
        super().__init__(signer, contracts, gatekeeper, account=account, sender=sender, http=http)
        acting = self._acting
        self.relationships = PatientRelationships(acting)
        self.inbox = PatientInbox(acting)
        self.consents = PatientConsents(acting)
        self.records = OwnRecords(acting, lambda: self._reader)
        self.audit = PatientAudit(acting, lambda: self._reader)
        self.delegates = Delegates(acting)
        self.emergency = PatientEmergency(acting)
        self.recovery = Recovery(acting)

    def balance(self) -> int:
        """Money of the account, in wei: zero all along, unless somebody sent it some."""
        with translated():
            return int(self._acting.network.web3.eth.get_balance(self.account))

    def export(self, path: Path) -> ExportedFile:
        """Write everything to one JSON file, profile ``medaccord/patient-export/1``.

        It has the records with their proofs, consents and emergencies with what opens them,
        requests, receipts, and the log; all of it is checked before it is written. A file that is
        there is replaced once the new one is whole; only its owner may read it.

        Args:
            path: The file; its folder is there already.

        Raises:
            InvalidRequest: The file cannot be written, or the steward has no Patient resource.
            AccessRefused: The relationship is over, or the key may not read for the account.
            VerificationFailed: Something does not check; nothing is left then.
            TransportError: The gatekeeper or the node does not answer, or badly.
        """
        export = PatientExport(
            self._acting,
            records=self.records,
            consents=self.consents,
            emergency=self.emergency,
            inbox=self.inbox,
            audit=self.audit,
        )
        return export.write(path)

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._acting.session, self._acting.evidence, self.steward)
