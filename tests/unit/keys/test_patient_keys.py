"""Patients' keys in a folder: made once, read by their owner alone, erased for good."""

from __future__ import annotations

import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from medaccord.core.errors import InvalidInput, KeyMissing
from medaccord.keys import FolderPatientKeys, PatientKeys, StewardSecrets

PATIENT = "patient/../../etc/passwd"
OTHER = "patient-2"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "hospital" / "keys"


@pytest.fixture
def keys(folder: Path) -> FolderPatientKeys:
    return FolderPatientKeys(folder)


def test_folder_keys_are_patient_keys(keys: FolderPatientKeys) -> None:
    assert isinstance(keys, PatientKeys)


def test_public_half_is_that_of_the_private_half(keys: FolderPatientKeys) -> None:
    public = keys.create(PATIENT)
    private = X25519PrivateKey.from_private_bytes(keys.private(PATIENT))
    assert keys.public(PATIENT) == public == private.public_key().public_bytes_raw()


def test_keys_of_two_patients_differ(keys: FolderPatientKeys) -> None:
    assert keys.create(PATIENT) != keys.create(OTHER)


def test_keys_are_there_when_the_folder_is_opened_again(
    keys: FolderPatientKeys, folder: Path
) -> None:
    public = keys.create(PATIENT)
    assert FolderPatientKeys(folder).public(PATIENT) == public


def test_second_key_is_refused_and_the_first_one_kept(keys: FolderPatientKeys) -> None:
    public = keys.create(PATIENT)
    with pytest.raises(InvalidInput, match="has a key already"):
        keys.create(PATIENT)
    assert keys.public(PATIENT) == public


def test_one_key_is_made_when_many_threads_make_it(keys: FolderPatientKeys) -> None:
    def create(_: int) -> bytes | None:
        try:
            return keys.create(PATIENT)
        except InvalidInput:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [public for public in pool.map(create, range(16)) if public]
    assert made == [keys.public(PATIENT)]


READS: list[Callable[[FolderPatientKeys, str], object]] = [
    FolderPatientKeys.public,
    FolderPatientKeys.private,
    FolderPatientKeys.erase,
]


@pytest.mark.parametrize("read", READS)
def test_key_is_missing_when_it_was_never_made(
    keys: FolderPatientKeys, read: Callable[[FolderPatientKeys, str], object]
) -> None:
    with pytest.raises(KeyMissing):
        read(keys, PATIENT)


@pytest.mark.parametrize("read", READS)
def test_key_is_missing_when_it_was_erased(
    keys: FolderPatientKeys, read: Callable[[FolderPatientKeys, str], object]
) -> None:
    keys.create(PATIENT)
    keys.erase(PATIENT)
    with pytest.raises(KeyMissing):
        read(keys, PATIENT)


def test_erasing_leaves_nothing_of_the_key_and_the_other_keys_alone(
    keys: FolderPatientKeys, folder: Path
) -> None:
    keys.create(PATIENT)
    private = keys.private(PATIENT)
    other = keys.create(OTHER)
    keys.erase(PATIENT)
    assert all(private not in path.read_bytes() for path in folder.iterdir())
    assert keys.public(OTHER) == other


def test_key_made_after_erasure_is_another_one(keys: FolderPatientKeys) -> None:
    before = keys.create(PATIENT)
    keys.erase(PATIENT)
    assert keys.create(PATIENT) != before


def test_nobody_else_may_look(keys: FolderPatientKeys, folder: Path) -> None:
    keys.create(PATIENT)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600]


def test_folder_is_closed_when_it_was_open_before(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o755)
    FolderPatientKeys(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_names_of_files_do_not_name_patients(keys: FolderPatientKeys, folder: Path) -> None:
    keys.create(OTHER)
    assert all(OTHER not in path.name for path in folder.iterdir())


def test_secret_is_made_once(folder: Path) -> None:
    first = StewardSecrets(folder).pseudonyms
    assert len(first) == 32
    assert StewardSecrets(folder).pseudonyms == first


def test_secrets_of_two_stewards_differ(tmp_path: Path) -> None:
    assert StewardSecrets(tmp_path / "a").pseudonyms != StewardSecrets(tmp_path / "b").pseudonyms


def test_secret_is_not_shown(folder: Path) -> None:
    assert repr(StewardSecrets(folder)) == "StewardSecrets(…)"
