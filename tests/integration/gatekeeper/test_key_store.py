"""A gatekeeper and its key store: encrypted or not, always the same one, and never a fresh one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete

from medaccord.core.errors import InvalidInput, KeyStoreFailed, WrongPassphrase
from medaccord.core.identifiers import Address
from medaccord.gatekeeper.key_store import open_key_store
from medaccord.keys import KeyFolder, LocalSigner, Passphrase
from medaccord.keys.protection import protect
from medaccord.store import tables, writing
from tests.integration.gatekeeper.conftest import BUNDLE, PATIENT_ID, Opener, Visit

PASSPHRASE = Passphrase(b"of the hospital")
CHEAP = 2**4


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_records_are_read_when_the_keys_were_encrypted_meanwhile(
    opened: Opener, visit: Visit, folder: Path, patient: LocalSigner
) -> None:
    protect(folder / "keys", PASSPHRASE, cost=CHEAP)
    desk = visit(opened(passphrase=PASSPHRASE))
    answer = desk.get(f"Patient/{PATIENT_ID}", desk.sign_in(patient), patient)
    assert answer.status_code == 200, answer.text


def test_gatekeeper_is_refused_when_the_passphrase_is_wrong(opened: Opener, folder: Path) -> None:
    protect(folder / "keys", PASSPHRASE, cost=CHEAP)
    with pytest.raises(WrongPassphrase, match=r"does not open .*/keys/master\.json"):
        opened(passphrase=Passphrase(b"of somebody else"))


def test_gatekeeper_is_refused_when_the_passphrase_is_missing(opened: Opener, folder: Path) -> None:
    protect(folder / "keys", PASSPHRASE, cost=CHEAP)
    with pytest.raises(InvalidInput, match="are encrypted: a passphrase is needed"):
        opened()


@pytest.mark.parametrize("mount_point", [False, True], ids=["removed", "not mounted"])
def test_gatekeeper_is_refused_and_nothing_made_when_the_key_store_is_gone(
    opened: Opener, folder: Path, mount_point: bool
) -> None:
    shutil.rmtree(folder / "keys")
    if mount_point:
        (folder / "keys").mkdir()
    with pytest.raises(KeyStoreFailed, match=r"is no key store: .* Is its disk mounted\?"):
        opened()
    assert names(folder / "keys") == []


def test_gatekeeper_is_refused_when_the_key_store_is_of_another_database(
    opened: Opener, folder: Path
) -> None:
    shutil.rmtree(folder / "keys")
    KeyFolder.create(folder / "keys")
    with pytest.raises(KeyStoreFailed, match="is the key store of another database"):
        opened()


def test_no_fresh_store_is_made_for_a_database_of_before_that_has_patients(
    database: Engine, folder: Path
) -> None:
    with writing(database) as connection:
        connection.execute(delete(tables.key_store))
    open_key_store(database, folder / "keys", None)
    with writing(database) as connection:
        connection.execute(delete(tables.key_store))
    with pytest.raises(KeyStoreFailed, match="is no key store"):
        open_key_store(database, folder / "elsewhere", None)
    assert not (folder / "elsewhere").exists()


def test_nothing_is_enrolled_or_imported_when_the_key_store_goes_while_it_runs(
    opened: Opener, visit: Visit, folder: Path, patient: LocalSigner
) -> None:
    gatekeeper = opened()
    desk = visit(gatekeeper)
    headers = desk.sign_in(patient)
    (folder / "keys").rename(folder / "away")
    account: Address = patient.address
    answer = desk.get(f"Patient/{PATIENT_ID}", headers, patient)
    assert answer.status_code == 500
    assert str(folder) not in answer.text
    with pytest.raises(KeyStoreFailed):
        gatekeeper.import_bundle(BUNDLE, account)
    newcomer = LocalSigner.create()
    assert desk.enrol(newcomer, gatekeeper.enrolment.issue_code("newcomer")).status_code == 500
    assert names(folder / "keys") == []
    (folder / "away").rename(folder / "keys")
    answer = desk.get(f"Patient/{PATIENT_ID}", headers, patient)
    assert answer.status_code == 200, answer.text
