"""What an erasure does in the database, table by table; each part may be done again.

| Table                                   | of an erased patient                                   |
|-----------------------------------------|--------------------------------------------------------|
| record_version, record_index            | deleted                                                |
| request_inbox, terms_opening,           | deleted                                                |
| reason_opening                          |                                                        |
| patient_account, enrolment_code         | deleted                                                |
| enrolment_attempt, token,               | deleted, of its accounts                               |
| relayed_action, notice, webhook         |                                                        |
| refusal_tally, match_term               | deleted                                                |
| pending_revocation                      | settled ones deleted; the chain has yet to see others, |
|                                         | which `forget_settled` deletes then                    |
| legal_hold                              | deleted: none of them was on                           |
| imported_file                           | emptied: a file of the patient may be imported again   |
| audit_entry                             | kept: number, time, commitment, head; what it said is  |
|                                         | deleted, and whose it was                              |
| batch                                   | kept: stream, root, salted leaves; whose it was is     |
|                                         | deleted; one that was never anchored is deleted        |
| erasure                                 | kept, with the pseudonym: it bars what backups hold    |
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, delete, exists, select, update

from medaccord.core.errors import KeyMissing, VerificationFailed
from medaccord.core.identifiers import Address, Digest
from medaccord.records.batches import Batch
from medaccord.records.erasure_list import ErasureLine
from medaccord.records.index import load_index
from medaccord.records.patients import accounts_of
from medaccord.records.pseudonyms import Owner, Pseudonyms
from medaccord.records.restating import restate
from medaccord.records.sealer import Sealer
from medaccord.store import reading, writing
from medaccord.store.tables import (
    audit_entry,
    batch,
    enrolment_attempt,
    enrolment_code,
    erasure,
    imported_file,
    legal_hold,
    match_term,
    notice,
    patient_account,
    pending_revocation,
    reason_opening,
    record_index,
    record_version,
    refusal_tally,
    relayed_action,
    request_inbox,
    terms_opening,
    token,
    webhook,
)

__all__ = ["NOBODY", "delete_patient", "delete_record", "forget_settled", "is_noted"]

NOBODY: Final = Owner("")
"""In the place of a pseudonym: whose it was is not known any more."""

_OF_ACCOUNTS: Final = (enrolment_attempt, token, relayed_action, notice, webhook)
_FOR_PATIENTS: Final = (request_inbox, terms_opening, reason_opening)


def is_noted(connection: Connection, line: ErasureLine) -> bool:
    """Whether the database has an erasure of the list already."""
    noted = select(erasure.c.id).where(erasure.c.owner == line.owner)
    if line.record is not None:
        noted = noted.where(erasure.c.record == line.record)
    else:
        noted = noted.where(
            erasure.c.record.is_(None), erasure.c.upto_generation >= line.upto_generation
        )
    return connection.execute(noted.limit(1)).first() is not None


def delete_record(
    connection: Connection,
    sealer: Sealer,
    names: Pseudonyms,
    owner: Owner,
    record: Digest,
    *,
    at: datetime,
) -> tuple[int, Batch | None]:
    """Delete every version of a record, and take it out of index and state.

    Returns:
        How many versions there were; and the batch that tells the state without the record, None
        where no index names it.
    """
    told = None
    name = _name_of(connection, sealer, names, owner, record)
    if name is not None:
        told = restate(connection, sealer, names, owner, at=at, without=(name,))
    versions = record_version.c.owner == owner, record_version.c.record == record
    deleted = connection.execute(delete(record_version).where(*versions)).rowcount
    # What patients are matched by is told anew, without this record.
    connection.execute(delete(match_term).where(match_term.c.patient_ref == owner))
    on_it = legal_hold.c.owner == owner, legal_hold.c.record == record
    connection.execute(delete(legal_hold).where(*on_it))
    return deleted, told


def delete_patient(
    connection: Connection,
    line: ErasureLine,
    *,
    accounts: bool = True,
    earlier: Collection[Address] = (),
) -> int:
    """Delete what the table above says; of sealed rows those that a line means.

    Args:
        connection: a transaction that writes.
        line: all of whom, sealed up to which key.
        accounts: whether the map from accounts goes too; not where the patient enrolled anew.
        earlier: accounts that the map had before; what came in of them meanwhile goes too.

    Returns:
        How many versions of records there were.
    """
    owner, upto = line.owner, line.upto_generation
    if accounts:
        _delete_accounts(connection, owner, earlier)
    versions = record_version.c.owner == owner, record_version.c.key_generation <= upto
    deleted = connection.execute(delete(record_version).where(*versions)).rowcount
    index = record_index.c.owner == owner, record_index.c.key_generation <= upto
    connection.execute(delete(record_index).where(*index))
    entries = audit_entry.c.patient_ref == owner, audit_entry.c.key_generation <= upto
    emptied = {"patient_ref": NOBODY, "ciphertext": b"", "wrapped_key": b"", "key_generation": 0}
    connection.execute(update(audit_entry).where(*entries).values(emptied))
    _forget_batches(connection, owner)
    connection.execute(delete(imported_file))
    return deleted


def forget_settled(engine: Engine) -> None:
    """Delete the revocations of accounts that stand for nobody any more, once the chain has them.

    Raises:
        StoreFailed: the database failed.
    """
    enrolled = patient_account.c.account == pending_revocation.c.account
    nobodys = ~exists(select(patient_account.c.account).where(enrolled))
    wanted = pending_revocation.c.settled_at.is_not(None), nobodys
    with reading(engine) as connection:
        if connection.execute(select(pending_revocation.c.id).where(*wanted)).first() is None:
            return
    with writing(engine) as connection:
        connection.execute(delete(pending_revocation).where(*wanted))


def _delete_accounts(connection: Connection, owner: Owner, earlier: Collection[Address]) -> None:
    accounts = {*accounts_of(connection, owner), *earlier}
    connection.execute(delete(patient_account).where(patient_account.c.patient_ref == owner))
    connection.execute(delete(enrolment_code).where(enrolment_code.c.patient_ref == owner))
    connection.execute(delete(legal_hold).where(legal_hold.c.owner == owner))
    connection.execute(delete(refusal_tally).where(refusal_tally.c.patient_ref == owner))
    connection.execute(delete(match_term).where(match_term.c.patient_ref == owner))
    for table in _OF_ACCOUNTS:
        connection.execute(delete(table).where(table.c.account.in_(accounts)))
    settled = pending_revocation.c.settled_at.is_not(None)
    of_patient = pending_revocation.c.account.in_(accounts)
    connection.execute(delete(pending_revocation).where(of_patient, settled))
    for table in _FOR_PATIENTS:
        connection.execute(delete(table).where(_nobodys(table)))


def _nobodys(table: Table) -> Any:
    """Rows about an account that stands for no patient; what came in meanwhile is among them."""
    enrolled = select(patient_account.c.account).where(patient_account.c.account == table.c.patient)
    return ~exists(enrolled)


def _forget_batches(connection: Connection, owner: Owner) -> None:
    of_owner = batch.c.patient_ref == owner
    used = select(record_version.c.id).where(record_version.c.batch_id == batch.c.id)
    own = used.where(record_version.c.owner == owner)
    connection.execute(delete(batch).where(of_owner, batch.c.anchored_at.is_(None), ~exists(used)))
    connection.execute(update(batch).where(of_owner, ~exists(own)).values(patient_ref=NOBODY))


def _name_of(
    connection: Connection, sealer: Sealer, names: Pseudonyms, owner: Owner, record: Digest
) -> str | None:
    try:
        index = load_index(connection, sealer, owner, to_write=True)
    except (KeyMissing, VerificationFailed):
        return None  # a backup's, sealed to a key that is no more: it names nothing to anybody
    return next((name for name in index.records if names.record(name) == record), None)
