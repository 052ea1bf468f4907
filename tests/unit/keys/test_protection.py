"""Encrypting a key store, renewing its master, changing its passphrase: nothing is ever lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import medaccord
from medaccord.core.errors import (
    InvalidInput,
    KeyStoreFailed,
    WrongPassphrase,
)
from medaccord.keys import FolderPatientKeys
from medaccord.keys.key_folder import KeyFolder
from medaccord.keys.passphrase import Passphrase
from medaccord.keys.protection import change_passphrase, protect, renew_master
from tests.unit.keys import kill_points
from tests.unit.keys.conftest import CHEAP
from tests.unit.keys.kill_points import contents

PATIENT = "patient-1"
OTHER = "patient-2"


def key_file(folder: Path) -> Path:
    (path,) = (each for each in folder.glob("patient-*") if each.is_file())
    return path


def test_protected_store_opens_with_the_passphrase_alone_and_holds_the_same(
    plain: KeyFolder, folder: Path, passphrase: Passphrase
) -> None:
    shutil.rmtree(folder)
    before = kill_points.filled(folder, None)
    told: list[tuple[int, int]] = []
    protect(folder, passphrase, cost=CHEAP, progress=lambda *each: told.append(each))
    assert contents(KeyFolder.open(folder, passphrase)) == before
    assert not kill_points.in_clear(folder, before)
    assert told == [(number, 6) for number in range(1, 7)]
    with pytest.raises(InvalidInput, match="a passphrase is needed"):
        KeyFolder.open(folder)


def test_service_that_runs_while_its_keys_are_encrypted_is_told_to_start_again(
    plain: KeyFolder, folder: Path, passphrase: Passphrase
) -> None:
    keys = FolderPatientKeys(plain)
    keys.create(PATIENT)
    protect(folder, passphrase, cost=CHEAP)
    with pytest.raises(KeyStoreFailed, match="start again with its passphrase"):
        keys.public(PATIENT)
    with pytest.raises(KeyStoreFailed, match="start again with its passphrase"):
        keys.create(OTHER)
    assert FolderPatientKeys(KeyFolder.open(folder, passphrase)).generations(OTHER) == ()


def test_protecting_twice_is_refused(
    encrypted: KeyFolder, folder: Path, passphrase: Passphrase
) -> None:
    with pytest.raises(InvalidInput, match="are encrypted already"):
        protect(folder, passphrase, cost=CHEAP)


def test_changed_passphrase_opens_and_the_old_one_does_not(
    encrypted: KeyFolder, folder: Path, passphrase: Passphrase, another: Passphrase
) -> None:
    FolderPatientKeys(encrypted).create(PATIENT)
    before, content = contents(encrypted), key_file(folder).read_bytes()
    change_passphrase(folder, passphrase, another, cost=CHEAP)
    assert contents(KeyFolder.open(folder, another)) == before
    assert key_file(folder).read_bytes() == content
    with pytest.raises(WrongPassphrase):
        KeyFolder.open(folder, passphrase)


def test_service_goes_on_when_only_the_passphrase_was_changed(
    encrypted: KeyFolder, folder: Path, passphrase: Passphrase, another: Passphrase
) -> None:
    change_passphrase(folder, passphrase, another, cost=CHEAP)
    made = FolderPatientKeys(encrypted).create(PATIENT)
    assert FolderPatientKeys(KeyFolder.open(folder, another)).public(PATIENT) == made


def test_renewed_master_opens_everything_and_the_old_one_nothing(
    encrypted: KeyFolder, folder: Path, passphrase: Passphrase
) -> None:
    shutil.rmtree(folder)
    before = kill_points.filled(folder, passphrase)
    old = (folder / "master.json").read_bytes()
    renew_master(folder, passphrase, cost=CHEAP)
    assert contents(KeyFolder.open(folder, passphrase)) == before
    (folder / "master.json").write_bytes(old)
    with pytest.raises(KeyStoreFailed, match=r"under another master key than master\.json held"):
        KeyFolder.open(folder, passphrase)


def test_service_that_runs_while_the_master_is_renewed_makes_no_key_that_would_be_lost(
    encrypted: KeyFolder, folder: Path, passphrase: Passphrase
) -> None:
    renew_master(folder, passphrase, cost=CHEAP)
    with pytest.raises(KeyStoreFailed, match=r"under another master key .* start again"):
        FolderPatientKeys(encrypted).create(PATIENT)


@pytest.mark.parametrize("change", [change_passphrase, renew_master])
def test_change_is_refused_when_the_store_is_not_encrypted(
    plain: KeyFolder, folder: Path, passphrase: Passphrase, change: Callable[..., None]
) -> None:
    passphrases = [passphrase, passphrase] if change is change_passphrase else [passphrase]
    with pytest.raises(InvalidInput, match="are not encrypted: protect them first"):
        change(folder, *passphrases, cost=CHEAP)


@pytest.mark.parametrize("change", [change_passphrase, renew_master])
def test_nothing_changes_when_the_passphrase_is_wrong(
    encrypted: KeyFolder, folder: Path, another: Passphrase, change: Callable[..., None]
) -> None:
    before = (folder / "master.json").read_bytes()
    passphrases = [another, another] if change is change_passphrase else [another]
    with pytest.raises(WrongPassphrase):
        change(folder, *passphrases, cost=CHEAP)
    assert (folder / "master.json").read_bytes() == before


def test_protecting_is_refused_when_there_is_no_store(folder: Path, passphrase: Passphrase) -> None:
    with pytest.raises(KeyStoreFailed, match=f"{folder} is no key store"):
        protect(folder, passphrase, cost=CHEAP)
    assert not folder.exists()


def test_hidden_files_of_others_are_left_alone(
    plain: KeyFolder, folder: Path, passphrase: Passphrase
) -> None:
    (folder / ".snapshots").mkdir()
    (folder / ".snapshots" / "patient-1").write_bytes(b"theirs")
    (folder / ".note").write_bytes(b"theirs")
    protect(folder, passphrase, cost=CHEAP)
    KeyFolder.open(folder, passphrase)
    assert (folder / ".snapshots" / "patient-1").read_bytes() == b"theirs"
    assert (folder / ".note").read_bytes() == b"theirs"


@pytest.mark.parametrize("operation", sorted(kill_points.OPERATIONS))
def test_no_key_is_lost_and_doing_it_again_finishes_when_it_is_killed_at_any_step(
    tmp_path: Path, operation: str
) -> None:
    done = subprocess.run(
        [sys.executable, kill_points.__file__, operation, str(tmp_path / "keys")],
        env={**os.environ, "PYTHONPATH": str(Path(medaccord.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) > 3
