"""Releasing records as envelopes: wrapped to whoever may read them, and not opened here."""

from collections.abc import Iterable

from sqlalchemy import Connection, Engine

from medaccord.core.envelope import Sealed, check_recipient
from medaccord.core.envelopes import Envelope
from medaccord.core.errors import AccessRefused, InvalidInput, KeyMissing, VerificationFailed
from medaccord.core.identifiers import Address
from medaccord.core.refusals import Refusal
from medaccord.keys import PublicKey
from medaccord.records.evidence import Evidence
from medaccord.records.pseudonyms import Pseudonyms
from medaccord.records.repository import Found
from medaccord.records.sealed_rows import version_context
from medaccord.records.sealer import Sealer
from medaccord.store import reading

__all__ = ["Wrapping"]


class Wrapping:
    """Makes envelopes of found records. Any number of threads may share it."""

    def __init__(
        self,
        engine: Engine,
        sealer: Sealer,
        names: Pseudonyms,
        steward: Address,
        evidence: Evidence,
    ) -> None:
        """Wrap the records of one steward.

        Args:
            engine: the database.
            sealer: unwraps data keys with the keys of the patients.
            names: the steward's names for what is in the database.
            steward: account of the steward.
            evidence: makes the parts of proofs.
        """
        self._engine = engine
        self._sealer = sealer
        self._names = names
        self._steward = steward
        self._evidence = evidence

    def wrap(self, found: Iterable[Found], recipient: bytes) -> tuple[Envelope, ...]:
        """Wrap records to a key; leaf, root and anchor are checked, what is inside is not.

        Args:
            found: what to wrap, in the order wanted.
            recipient: X25519 public key of the receiver, 32 bytes.

        Raises:
            AccessRefused: RECORD_UNVERIFIABLE, naming the first record that fails; none is given.
            InvalidInput: the receiver's key is none that anything can be wrapped to.
        """
        check_recipient(recipient)
        with reading(self._engine) as connection:
            return tuple(self._wrapped(connection, each, recipient) for each in found)

    def _wrapped(self, connection: Connection, found: Found, recipient: bytes) -> Envelope:
        try:
            return self._checked(connection, found, recipient)
        except (InvalidInput, KeyMissing, VerificationFailed) as error:
            raise AccessRefused(
                Refusal.RECORD_UNVERIFIABLE,
                f"{found.descriptor.record}, version {found.entry.version}, is not what was "
                f"anchored: {error}.",
            ) from error

    def _checked(self, connection: Connection, found: Found, recipient: bytes) -> Envelope:
        entry, name = found.entry, found.descriptor.record
        record = self._names.record(name)
        stored = self._evidence.anchored(connection, found.owner, record, entry.version)
        row = stored.row
        if entry.leaf is not None and stored.tree.leaves[row.position] != entry.leaf:
            raise VerificationFailed("its leaf is another than the index says")
        context = version_context(found.owner, record, entry.version)
        receiver = PublicKey(generation=1, key=recipient)
        wrapped = self._sealer.rewrap(found.owner, row._mapping, context, to=receiver)
        standing = found.standing
        return Envelope(
            record=name,
            version=entry.version,
            steward=self._steward,
            topic=stored.batch.topic,
            context=context,
            sealed=Sealed(ciphertext=row.ciphertext, wrapped_key=wrapped["wrapped_key"]),
            siblings=stored.tree.proof(row.position),
            anchor=stored.anchor,
            state=stored.batch.state,
            newest=None
            if standing is None
            else self._evidence.newest(connection, found.owner, standing, name),
        )
