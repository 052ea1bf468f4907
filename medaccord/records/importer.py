"""Importing a Bundle: new and changed records become versions, sealed and committed to."""

from dataclasses import dataclass
from datetime import datetime

from eth_utils.crypto import keccak
from sqlalchemy import Engine, insert

from medaccord.core.errors import InvalidBundle
from medaccord.core.identifiers import Address, Digest
from medaccord.fhir.bundle import PatientBundle
from medaccord.fhir.resource import Resource
from medaccord.fhir.resources import UNLABELLED, describe
from medaccord.records.batches import Batch, add_batch
from medaccord.records.index import Index, IndexEntry, load_index, save_index
from medaccord.records.patients import PatientAccounts, ensure_key
from medaccord.records.pseudonyms import Owner, Pseudonyms
from medaccord.records.sealer import Sealer
from medaccord.records.sealing import VersionId, seal_version
from medaccord.store import writing
from medaccord.store.tables import record_version

__all__ = ["Imported", "Importer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import came to.

    Attributes:
        records: how many of the Bundle's resources are the patient's.
        directory: how many are the steward's own: practitioners, organisations, locations.
        new_versions: how many of both were new or changed.
        unchanged: how many were there already, byte for byte.
        batch: what is to be anchored; None where nothing was new.
    """

    records: int
    directory: int
    new_versions: int
    unchanged: int
    batch: Batch | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    id: VersionId
    resource: Resource
    content: bytes
    plaintext: Digest


class Importer:
    """Takes Bundles in, for one steward."""

    def __init__(
        self,
        engine: Engine,
        sealer: Sealer,
        pseudonyms: Pseudonyms,
        steward: Address,
        *,
        unlabelled: frozenset[str] = UNLABELLED,
    ) -> None:
        """Import into a database.

        Args:
            engine: the database.
            sealer: seals to the keys of the patients and of the steward itself.
            pseudonyms: the steward's names for what is in the database.
            steward: account of the steward.
            unlabelled: the labels of a record that carries none.
        """
        self._engine = engine
        self._sealer = sealer
        self._names = pseudonyms
        self._steward = steward
        self._unlabelled = unlabelled
        self._accounts = PatientAccounts(engine, sealer.keys)

    def import_bundle(self, bundle: PatientBundle, account: Address, *, at: datetime) -> Imported:
        """Take in a Bundle, whole or not at all.

        A record that was never here becomes version 1, one that changed the next version; importing
        the same Bundle again changes nothing. Nothing is released before its batch is anchored.

        Args:
            bundle: what was read from the file.
            account: the account that stands for its patient.
            at: now.

        Raises:
            AccessRefused: UNKNOWN_PATIENT: nobody enrolled with this account.
            InvalidBundle: the account stands for another patient than the Bundle's.
            KeyMissing: the patient's key was erased.
        """
        patient = self._accounts.owner_of(account)
        if self._names.patient(bundle.patient_id) != patient:
            raise InvalidBundle(
                f"the Bundle is of another patient than the one enrolled as {account}"
            )
        parts = ((patient, bundle.resources), (self._names.steward, bundle.directory))
        ensure_key(self._sealer.keys, self._names.steward)
        topic = self._names.records_topic(patient)
        with writing(self._engine) as connection:
            indexes: dict[Owner, Index] = {}
            versions: list[_Version] = []
            for owner, resources in parts:
                if resources:
                    indexes[owner] = load_index(connection, self._sealer, owner, to_write=True)
                    versions += self._changed(owner, topic, resources, indexes[owner])
            batch = None
            if versions:
                publics = {owner: self._sealer.keys.public(owner) for owner in indexes}
                rows: list[dict[str, object]] = []
                leaves: list[Digest] = []
                for position, version in enumerate(versions):
                    sealed, pointer = seal_version(
                        version.id,
                        version.content,
                        self._sealer,
                        to=publics[version.id.owner],
                    )
                    leaves.append(pointer.leaf)
                    rows.append(
                        {
                            "owner": version.id.owner,
                            "record": version.id.record,
                            "version": version.id.version,
                            "position": position,
                            **sealed,
                        }
                    )
                batch = add_batch(connection, patient, topic, leaves, at=at)
                connection.execute(
                    insert(record_version), [row | {"batch_id": batch.id} for row in rows]
                )
                for version, leaf in zip(versions, leaves, strict=True):
                    indexes[version.id.owner].add(self._entry(version, batch, leaf))
                for owner in {version.id.owner for version in versions}:
                    save_index(connection, self._sealer, owner, indexes[owner])
        total = len(bundle.resources) + len(bundle.directory)
        return Imported(
            records=len(bundle.resources),
            directory=len(bundle.directory),
            new_versions=len(versions),
            unchanged=total - len(versions),
            batch=batch,
        )

    def _changed(
        self, owner: Owner, topic: Digest, resources: tuple[Resource, ...], index: Index
    ) -> list[_Version]:
        changed = []
        for resource in resources:
            content = resource.canonical()
            plaintext = Digest(keccak(content))
            latest = index.latest(resource.record)
            if latest is not None and latest.plaintext == plaintext:
                continue
            version = VersionId(
                owner=owner,
                name=resource.record,
                record=self._names.record(resource.record),
                version=1 if latest is None else latest.version + 1,
                steward=self._steward,
                topic=topic,
            )
            changed.append(
                _Version(id=version, resource=resource, content=content, plaintext=plaintext)
            )
        return changed

    def _entry(self, version: _Version, batch: Batch, leaf: Digest) -> IndexEntry:
        return IndexEntry(
            version=version.id.version,
            batch=batch.id,
            plaintext=version.plaintext,
            leaf=leaf,
            descriptor=describe(version.resource, unlabelled=self._unlabelled),
        )
