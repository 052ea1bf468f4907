"""Bringing records in, on the steward's side: sealed first, anchored after, released never before.

An import whose anchor could not be sent stays prepared; `finish` anchors what is left.
"""

import threading
from dataclasses import dataclass
from typing import Final

from medaccord.chain import actions
from medaccord.chain.deployment import Contracts
from medaccord.chain.network import Network
from medaccord.chain.sender import Receipt, Sender
from medaccord.core.blocks import BlockRef
from medaccord.core.errors import AccessRefused
from medaccord.core.identifiers import Address, Digest
from medaccord.core.refusals import Refusal
from medaccord.fhir import read_bundle
from medaccord.ledger import Ledger, RelationshipState
from medaccord.records import Batch, Batches, Importer

_REORGANISED_BLOCKS: Final = 128
"""How far below the head anchors are looked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import came to.

    Attributes:
        records: how many of the Bundle's resources are the patient's.
        directory: how many are the steward's own: practitioners, organisations, locations.
        new_versions: how many of both were new or changed.
        unchanged: how many were there already, byte for byte.
        root: what was anchored; None where nothing was new.
        receipt: of the transaction that anchored it; None where nothing was new.
    """

    records: int
    directory: int
    new_versions: int
    unchanged: int
    root: Digest | None
    receipt: Receipt | None


class Importing:
    """Imports Bundles, and anchors what they add."""

    def __init__(
        self,
        *,
        steward: Address,
        network: Network,
        contracts: Contracts,
        ledger: Ledger,
        sender: Sender,
        importer: Importer,
        batches: Batches,
    ) -> None:
        self._steward = steward
        self._network = network
        self._contracts = contracts
        self._ledger = ledger
        self._sender = sender
        self._importer = importer
        self._batches = batches
        self._lock = threading.Lock()

    def import_bundle(self, data: bytes, account: Address) -> ImportReport:
        """Import a FHIR Bundle of one patient, and anchor what it adds in one transaction.

        Args:
            data: the Bundle, JSON in UTF-8.
            account: the account that stands for the patient.

        Raises:
            InvalidBundle: it is no Bundle of this one patient; nothing was written.
            AccessRefused: UNKNOWN_PATIENT, or NO_RELATIONSHIP, the patient has not accepted;
                nothing was written.
            TransportError: the chain is out of reach. Where that came after the import, the records
                are kept, and not released until `finish` anchors them.
        """
        bundle = read_bundle(data)
        self._ledger.sync()
        relationship = self._ledger.relationship(account, self._steward)
        if relationship.state is not RelationshipState.ACTIVE:
            raise AccessRefused(
                Refusal.NO_RELATIONSHIP, f"{account} has not accepted this steward yet"
            )
        with self._lock:
            imported = self._importer.import_bundle(bundle, account, at=self._network.clock())
            batch = imported.batch
            receipt = None if batch is None else self._anchor(batch)
        return ImportReport(
            records=imported.records,
            directory=imported.directory,
            new_versions=imported.new_versions,
            unchanged=imported.unchanged,
            root=None if batch is None else batch.root,
            receipt=receipt,
        )

    def finish(self) -> int:
        """Anchor what earlier imports left, and what a reorganisation took back.

        What the chain has already is only noted.

        Returns:
            How many batches are anchored now that were not.

        Raises:
            TransportError: the chain is out of reach: call again later.
        """
        with self._lock:
            tip = self._ledger.sync()
            waiting = (*self._batches.unanchored(), *self._taken_back(tip))
            for batch in waiting:
                sent = self._ledger.anchor_of(self._steward, batch.topic, batch.root)
                if sent is None:
                    self._anchor(batch)
                else:
                    self._batches.mark_anchored(
                        batch.id,
                        transaction=sent.transaction,
                        block=self._network.block(sent.block_number),
                        at=self._network.clock(),
                    )
            return len(waiting)

    def _taken_back(self, tip: BlockRef) -> list[Batch]:
        return [
            batch
            for batch in self._batches.anchored_after(tip.number - _REORGANISED_BLOCKS)
            if batch.block_number is not None
            and batch.block_number <= tip.number
            and all(
                anchor.root != batch.root
                for anchor in self._ledger.anchors(self._steward, batch.topic)
            )
        ]

    def _anchor(self, batch: Batch) -> Receipt:
        action = actions.append(
            self._contracts,
            account=self._steward,
            by=self._sender.address,
            topic=batch.topic,
            root=batch.root,
        )
        receipt = actions.submit(self._sender, action, purpose=f"batch:{batch.id}")
        self._batches.mark_anchored(
            batch.id,
            transaction=receipt.transaction,
            block=receipt.block,
            at=self._network.clock(),
        )
        return receipt
