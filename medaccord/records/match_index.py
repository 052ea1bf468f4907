"""By what a patient can be found in an emergency: keyed hashes of identifiers, and of people.

Records are sealed patient by patient, so nobody can search through them. What an emergency
department may know of somebody, an identifier or name and day of birth, is kept beside as a keyed
hash: whoever has the database alone learns from it at most that two patients share one, and with
the steward's secret only what can be guessed. It follows the records: `bring_up` tells it anew
after each import, and an erasure deletes it.

Source: FHIR R4, operation Patient/$match.
"""

import hashlib
import hmac
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, delete, exists, insert, select

from medaccord.core.canonical import Object, Value, parse_object
from medaccord.core.errors import KeyMissing, VerificationFailed
from medaccord.core.identifiers import Address, Digest
from medaccord.records.index import load_index
from medaccord.records.pseudonyms import Owner, Pseudonyms
from medaccord.records.sealer import Sealer
from medaccord.records.sealing import VersionId, open_version
from medaccord.store import reading, writing
from medaccord.store.tables import match_term, patient_account, record_index, record_version

__all__ = ["MatchIndex", "Terms"]

_AT_ONCE: Final = 500
_DAY_LENGTH: Final = len("2026-01-31")
_MAX_TERMS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a Patient resource says that patients are found by, hashed under the steward's key.

    Attributes:
        identifiers: each identifier that has a system and a value.
        people: each family name with a first given name and the whole day of birth.
    """

    identifiers: frozenset[Digest]
    people: frozenset[Digest]

    @property
    def all(self) -> frozenset[Digest]:
        """Both."""
        return self.identifiers | self.people


class MatchIndex:
    """The index of one steward. Any number of threads may share it."""

    def __init__(
        self,
        engine: Engine,
        sealer: Sealer,
        names: Pseudonyms,
        steward: Address,
        secret: bytes,
    ) -> None:
        """Index the patients of a steward.

        Args:
            engine: the database.
            sealer: opens their Patient resources.
            names: the steward's names for what is in the database.
            steward: account of the steward.
            secret: 32 bytes, for this alone.
        """
        self._engine = engine
        self._sealer = sealer
        self._names = names
        self._steward = steward
        self._secret = secret

    def terms(self, patient: Object) -> Terms:
        """What is told from a Patient resource; at most `_MAX_TERMS` of each kind."""
        day = patient.get("birthDate")
        people = _people(patient, day) if isinstance(day, str) and len(day) == _DAY_LENGTH else ()
        return Terms(
            identifiers=self._hashed("identifier", _identifiers(patient)),
            people=self._hashed("person", people),
        )

    def find(self, wanted: Collection[Digest]) -> dict[Digest, set[Owner]]:
        """The enrolled patients that have a term, for each that was wanted."""
        query = select(match_term.c.value, match_term.c.patient_ref).where(
            match_term.c.value.in_(wanted),
            exists().where(patient_account.c.patient_ref == match_term.c.patient_ref),
        )
        found: dict[Digest, set[Owner]] = {}
        with reading(self._engine) as connection:
            for value, owner in connection.execute(query):
                found.setdefault(Digest(bytes(value)), set()).add(Owner(owner))
        return found

    def bring_up(self) -> int:
        """Tell anew what was told from another state of the records, or never.

        Returns:
            For how many patients.
        """
        done = 0
        while owners := self._behind():
            for owner in owners:
                self._bring_up(owner)
            done += len(owners)
            if len(owners) < _AT_ONCE:
                break
        return done

    def _behind(self) -> list[Owner]:
        told = exists().where(
            match_term.c.patient_ref == record_index.c.owner,
            match_term.c.revision == record_index.c.revision,
        )
        query = (
            select(record_index.c.owner)
            .where(~told, exists().where(patient_account.c.patient_ref == record_index.c.owner))
            .limit(_AT_ONCE)
        )
        with reading(self._engine) as connection:
            return [Owner(each) for each in connection.execute(query).scalars()]

    def _bring_up(self, owner: Owner) -> None:
        with reading(self._engine) as connection:
            revision, values = self._told(connection, owner)
        # The owner itself among them says that this state was looked at, whatever was found.
        values |= self._hashed("owner", [(owner,)])
        with writing(self._engine) as connection:
            connection.execute(delete(match_term).where(match_term.c.patient_ref == owner))
            now = select(record_index.c.revision).where(
                record_index.c.owner == owner,
                exists().where(patient_account.c.patient_ref == owner),
            )
            if connection.execute(now).scalar_one_or_none() != revision:
                return  # it changed meanwhile, or was erased: the next round sees to it
            rows = [
                {"patient_ref": owner, "value": value, "revision": revision} for value in values
            ]
            connection.execute(insert(match_term), rows)

    def _told(self, connection: Connection, owner: Owner) -> tuple[int, frozenset[Digest]]:
        found: frozenset[Digest] = frozenset()
        revision = connection.execute(
            select(record_index.c.revision).where(record_index.c.owner == owner)
        ).scalar_one_or_none()
        try:
            index = load_index(connection, self._sealer, owner)
            for name in index.records:
                if name.startswith("Patient/") and (newest := index.latest(name)) is not None:
                    resource = self._opened(connection, owner, name, newest.version)
                    found |= self.terms(resource).all
        except (KeyMissing, VerificationFailed):
            return revision or 0, frozenset()  # whoever reads it is told
        return revision or 0, found

    def _opened(self, connection: Connection, owner: Owner, name: str, number: int) -> Object:
        record = self._names.record(name)
        version = VersionId(
            owner=owner,
            name=name,
            record=record,
            version=number,
            steward=self._steward,
            topic=self._names.records_topic(owner),
        )
        row = connection.execute(
            select(record_version).where(
                record_version.c.owner == owner,
                record_version.c.record == record,
                record_version.c.version == number,
            )
        ).one_or_none()
        if row is None:
            raise VerificationFailed("it is gone from the database")
        return parse_object(open_version(version, row._mapping, self._sealer).content)

    def _hashed(self, kind: str, terms: Iterable[tuple[str, ...]]) -> frozenset[Digest]:
        found = set()
        for term, _ in zip(terms, range(_MAX_TERMS), strict=False):
            # Each part goes in with its length, so that no two lists of parts read the same.
            encoded = [part.encode() for part in (kind, *term)]
            message = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
            found.add(Digest(hmac.digest(self._secret, message, hashlib.sha256)))
        return frozenset(found)


def _identifiers(patient: Object) -> Iterator[tuple[str, ...]]:
    for each in _objects(patient.get("identifier")):
        system, value = each.get("system"), each.get("value")
        if isinstance(system, str) and isinstance(value, str) and value.strip():
            yield system, value.strip()


def _people(patient: Object, day: str) -> Iterator[tuple[str, ...]]:
    for name in _objects(patient.get("name")):
        family, given = name.get("family"), name.get("given")
        first = given[0] if isinstance(given, list) and given else None
        if isinstance(family, str) and isinstance(first, str) and _plain(family) and _plain(first):
            yield _plain(family), _plain(first), day


def _objects(value: Value) -> list[Object]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _plain(name: str) -> str:
    """A name without what people write in one way or another: marks, case, spaces, hyphens."""
    parted = unicodedata.normalize("NFKD", name).casefold()
    return "".join(each for each in parted if each.isalnum())
