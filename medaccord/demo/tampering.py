"""What somebody with the database, or the keys too, could try behind the gatekeeper's back."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Row, delete, func, select, update

from medaccord.core.canonical import Number, Value, encode, parse_object
from medaccord.core.identifiers import Address
from medaccord.demo.stage import Hospital
from medaccord.keys import FolderPatientKeys, StewardSecrets
from medaccord.records import PatientAccounts, Pseudonyms, Sealer
from medaccord.records.sealing import VersionId, open_version, seal_version
from medaccord.store import open_engine, reading, writing
from medaccord.store.tables import audit_entry, batch, record_version


class Insider:
    """Somebody at hospital A who has the database file and the key folder."""

    def __init__(self, hospital: Hospital, steward: Address, patient: Address) -> None:
        """Get at one patient's rows."""
        self._engine = open_engine(hospital.database)
        keys = FolderPatientKeys(hospital.keys)
        self._sealer = Sealer(keys)
        self._names = Pseudonyms(StewardSecrets(hospital.keys))
        self._steward = steward
        self._owner = PatientAccounts(self._engine, keys).owner_of(patient)
        self._topic = self._names.records_topic(self._owner)

    def close(self) -> None:
        """Leave the database."""
        self._engine.dispose()

    def flip_a_byte(self, name: str) -> None:
        """Change one byte of the sealed content of a record.

        Args:
            name: ``Type/id``.
        """
        sealed = bytearray(self._row(name).ciphertext)
        sealed[len(sealed) // 2] ^= 1
        self._write(name, ciphertext=bytes(sealed))

    def rewrite_a_number(self, name: str, before: str, after: str) -> None:
        """Write a number in another way wherever a record has it, and seal it properly again.

        Args:
            name: ``Type/id``.
            before: The number as it stands, such as ``1.00``.
            after: How it shall stand, such as ``1.0``.
        """
        version = self._version(name)
        record = _rewritten(parse_object(self._content(name)), Number(before), Number(after))
        sealed, _ = seal_version(version, encode(record), self._sealer)
        self._write(name, **sealed)

    def a_number_in(self, name: str) -> str | None:
        """A number of a record, one written as 1.00 if there is any; None where there is none."""
        found = (each.lexeme for each in _numbers(parse_object(self._content(name))))
        plain = (number for number in found if "e" not in number.lower())
        return max(plain, key=lambda number: (number == "1.00", "." in number), default=None)

    def drop_a_log_line(self) -> int:
        """Delete the middle line of the patient's log; its number."""
        mine = audit_entry.c.patient_ref == self._owner
        with writing(self._engine) as connection:
            count = connection.execute(select(func.max(audit_entry.c.number)).where(mine)).scalar()
            number = (int(count or 0) + 1) // 2
            connection.execute(delete(audit_entry).where(mine, audit_entry.c.number == number))
        return number

    def _content(self, name: str) -> bytes:
        row = self._row(name)
        return open_version(self._version(name), row._mapping, self._sealer).content

    def _version(self, name: str) -> VersionId:
        row = self._row(name)
        return VersionId(
            owner=self._owner,
            name=name,
            record=self._names.record(name),
            version=row.version,
            steward=self._steward,
            topic=self._topic,
        )

    def _row(self, name: str) -> Row[tuple[object, ...]]:
        with reading(self._engine) as connection:
            return connection.execute(
                select(record_version)
                .join(batch)
                .where(
                    record_version.c.owner == self._owner,
                    record_version.c.record == self._names.record(name),
                )
                .order_by(record_version.c.version.desc())
                .limit(1)
            ).one()

    def _write(self, name: str, **values: object) -> None:
        row = self._row(name)
        with writing(self._engine) as connection:
            connection.execute(
                update(record_version).where(record_version.c.id == row.id).values(**values)
            )


def another_way(number: str) -> str:
    """The same value with another precision: 1.00 becomes 1.0, 7 becomes 7.0."""
    if "." not in number:
        return f"{number}.0"
    return number[:-1] if number.endswith("00") else f"{number}0"


def _numbers(value: Value) -> Iterator[Number]:
    if isinstance(value, Number):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _numbers(inner)


def _rewritten(value: Value, before: Number, after: Number) -> Value:
    if isinstance(value, dict):
        return {name: _rewritten(inner, before, after) for name, inner in value.items()}
    if isinstance(value, list):
        return [_rewritten(inner, before, after) for inner in value]
    return after if value == before else value
