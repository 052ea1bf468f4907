"""Bringing records in, on the steward's side: sealed first, anchored after, released never before.

An import whose anchors could not be sent stays prepared; `finish` anchors what is left.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from medaccord.chain.sender import Receipt
from medaccord.core.errors import AccessRefused
from medaccord.core.identifiers import Address, Digest
from medaccord.core.refusals import Refusal
from medaccord.fhir import read_bundle
from medaccord.gatekeeper.batch_anchor import BatchAnchors
from medaccord.gatekeeper.foundation import Foundation
from medaccord.ledger import RelationshipState
from medaccord.records import Imported, Importer, Owner
from medaccord.records.patients import accounts_of
from medaccord.records.sources import Progress
from medaccord.store import reading

_UPGRADED: Final = 100
"""Patients at once whose index is brought up to date, so that others are served in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import came to.

    Attributes:
        imported: what was taken in, and what was left out.
        roots: what was anchored: one for each patient with something new, and one for what is the
            steward's own.
        receipts: of the transactions that anchored it, by the same order.
    """

    imported: Imported
    roots: tuple[Digest, ...]
    receipts: tuple[Receipt, ...]

    @property
    def records(self) -> int:
        """How many resources are of patients taken in."""
        return self.imported.records

    @property
    def directory(self) -> int:
        """How many are the steward's own: practitioners, organisations, locations."""
        return self.imported.directory

    @property
    def new_versions(self) -> int:
        """How many of both were new or changed."""
        return self.imported.new_versions

    @property
    def unchanged(self) -> int:
        """How many were there already, byte for byte."""
        return self.imported.unchanged


class Importing:
    """Imports Bundles and files, and anchors what they add."""

    def __init__(self, base: Foundation, *, importer: Importer, anchors: BatchAnchors) -> None:
        self._engine = base.engine
        self._steward = base.steward
        self._network = base.network
        self._ledger = base.ledger
        self._importer = importer
        self._anchors = anchors

    def import_bundle(self, data: bytes, account: Address) -> ImportReport:
        """Import a FHIR Bundle of one patient, and anchor what it adds.

        Args:
            data: the Bundle, JSON in UTF-8.
            account: the account that stands for the patient.

        Raises:
            InvalidBundle: it is no Bundle of this one patient; nothing was written.
            AccessRefused: UNKNOWN_PATIENT, or NO_RELATIONSHIP, the patient has not accepted;
                nothing was written.
            StoreFailed: the database is out of reach, or there is no room left; nothing was
                written.
            TransportError: the chain is out of reach. Where that came after the import, the records
                are kept, and not released until `finish` anchors them.
        """
        bundle = read_bundle(data)
        self._ledger.sync()
        if not self._is_active(account):
            raise AccessRefused(
                Refusal.NO_RELATIONSHIP, f"{account} has not accepted this steward yet"
            )
        return self._anchored(
            self._importer.import_bundle(bundle, account, at=self._network.clock())
        )

    def import_file(
        self, path: Path, *, progress: Progress | None = None, again: bool = False
    ) -> ImportReport:
        """Import a file of any number of patients, and anchor what it adds.

        Patients who are not enrolled, or have not accepted this steward, are left out and counted.
        A file is taken in whole or not at all, and one that was taken in before is skipped: a
        folder of files can be gone through again after it was cut off.

        Args:
            path: a Bundle in JSON, or NDJSON as a bulk export writes it.
            progress: told how many resources are done, of how many.
            again: look into the file in any case.

        Raises:
            InvalidBundle: it cannot be read, or holds something that cannot be told whose it is;
                nothing was written.
            KeyMissing: the key of a patient or of the steward is not there; nothing was written.
            StoreFailed: as `import_bundle`.
            TransportError: as `import_bundle`.
        """
        self._ledger.sync()
        return self._anchored(
            self._importer.import_file(
                path,
                at=self._network.clock(),
                wanted=self._has_accepted,
                progress=progress,
                again=again,
            )
        )

    def finish(self) -> int:
        """Anchor what earlier imports left, and what a reorganisation took back.

        What the chain has already is only noted. A stream whose newest batch tells no state, as
        version 0001 of the database left it, gets one.

        Returns:
            How many batches are anchored now that were not.

        Raises:
            TransportError: the chain is out of reach: call again later.
        """
        return self._anchors.finish()

    def upgrade(self) -> int:
        """Bring some of what earlier versions of the program wrote up to date; see `Importer`.

        Raises:
            StoreFailed: the database is out of reach.
        """
        return self._importer.upgrade(most=_UPGRADED)

    def _anchored(self, imported: Imported) -> ImportReport:
        made = self._anchors.anchor({batch.topic for batch in imported.batches})
        # One that is missing was anchored meanwhile by whoever finishes what imports leave.
        receipts = tuple(made[batch.id] for batch in imported.batches if batch.id in made)
        roots = tuple(batch.root for batch in imported.batches)
        return ImportReport(imported=imported, roots=roots, receipts=receipts)

    def _has_accepted(self, owner: Owner) -> bool:
        with reading(self._engine) as connection:
            accounts = accounts_of(connection, owner)
        return any(map(self._is_active, accounts))

    def _is_active(self, account: Address) -> bool:
        relationship = self._ledger.relationship(account, self._steward)
        return relationship.state is RelationshipState.ACTIVE
