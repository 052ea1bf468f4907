"""The key store of a gatekeeper's database: the one that it has always had, or none at all.

Records that nobody can open, under pseudonyms that nobody can find again, are what a fresh key
store would make of a database: after a disk that was not mounted, or a wrong setting.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, insert, select

from medaccord.core.errors import KeyStoreFailed
from medaccord.keys import KeyFolder, Passphrase
from medaccord.store import reading, writing
from medaccord.store.tables import key_store, patient_account

_USE: Final = b"medaccord/key-store/1"


def open_key_store(engine: Engine, folder: Path, passphrase: Passphrase | None) -> KeyFolder:
    """Open the key store that belongs to a database; a new database makes one where there is none.

    Args:
        engine: the database.
        folder: where the key store is.
        passphrase: what it is encrypted under; None where it is in clear.

    Raises:
        KeyStoreFailed: it is gone, or belongs to another database.
        InvalidInput: it is encrypted and there is no passphrase, or the other way round.
        WrongPassphrase: the passphrase does not open it.
    """
    expected = select(key_store.c.fingerprint)
    with reading(engine) as connection:
        # A database of an earlier version has patients, but knows no key store yet.
        patients = select(patient_account.c.account).limit(1)
        used = any(connection.execute(each).first() for each in (expected, patients))
    store = (KeyFolder.open if used else KeyFolder.open_or_create)(folder, passphrase)
    fingerprint = hmac.digest(store.secret, _USE, hashlib.sha256)
    with writing(engine) as connection:
        known = connection.execute(expected).scalar_one_or_none()
        if known is None:
            row = {"id": 1, "fingerprint": fingerprint}
            connection.execute(insert(key_store).values(row))
        elif known != fingerprint:
            raise KeyStoreFailed(
                f"{folder} is the key store of another database: nothing of this one would open"
            )
    return store
