"""Patients' keys in a folder: made once, read by their owner alone, erased for good."""

from __future__ import annotations

import copy
import pickle
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from medaccord.core.errors import InvalidInput, KeyMissing
from medaccord.keys import FolderPatientKeys, KeyFolder, PatientKeys, PublicKey, StewardSecrets

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
    private = X25519PrivateKey.from_private_bytes(keys.private(PATIENT, public.generation))
    assert keys.public(PATIENT) == public
    assert public.key == private.public_key().public_bytes_raw()


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
    def create(_: int) -> PublicKey | None:
        try:
            return keys.create(PATIENT)
        except InvalidInput:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [public for public in pool.map(create, range(16)) if public]
    assert made == [keys.public(PATIENT)]


READS: list[Callable[[FolderPatientKeys, str], object]] = [
    FolderPatientKeys.public,
    lambda keys, ref: keys.private(ref, 1),
    FolderPatientKeys.renew,
    lambda keys, ref: keys.retire(ref, 1),
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
    keys.renew(PATIENT)
    private = [keys.private(PATIENT, generation) for generation in (1, 2)]
    other = keys.create(OTHER)
    keys.erase(PATIENT)
    left = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert all(key not in content for key in private for content in left)
    assert keys.public(OTHER) == other


def test_key_made_after_erasure_is_another_one(keys: FolderPatientKeys) -> None:
    before = keys.create(PATIENT)
    keys.erase(PATIENT)
    assert keys.create(PATIENT).key != before.key


@pytest.mark.parametrize("renewals", [0, 1, 3])
def test_numbers_go_on_counting_when_keys_are_erased(
    keys: FolderPatientKeys, renewals: int
) -> None:
    keys.create(PATIENT)
    for _ in range(renewals):
        keys.renew(PATIENT)
    assert keys.erase(PATIENT) == renewals + 1
    assert keys.create(PATIENT).generation == renewals + 2
    assert keys.erase(PATIENT) == renewals + 2
    assert keys.create(PATIENT).generation == renewals + 3


def test_older_keys_stay_when_a_key_is_renewed(keys: FolderPatientKeys) -> None:
    first = keys.create(PATIENT)
    private = keys.private(PATIENT, 1)
    second = keys.renew(PATIENT)
    assert (first.generation, second.generation) == (1, 2)
    assert keys.public(PATIENT) == second
    assert keys.private(PATIENT, 1) == private != keys.private(PATIENT, 2)
    assert keys.generations(PATIENT) == (1, 2)


def test_retired_key_is_missing_and_the_newest_stays(keys: FolderPatientKeys) -> None:
    keys.create(PATIENT)
    keys.renew(PATIENT)
    third = keys.renew(PATIENT)
    keys.retire(PATIENT, 3)
    assert keys.generations(PATIENT) == (3,)
    assert keys.public(PATIENT) == third
    with pytest.raises(KeyMissing):
        keys.private(PATIENT, 2)
    assert keys.renew(PATIENT).generation == 4


def test_retiring_every_key_is_refused(keys: FolderPatientKeys) -> None:
    keys.create(PATIENT)
    with pytest.raises(InvalidInput, match="generation 2 was never made"):
        keys.retire(PATIENT, 2)
    assert keys.generations(PATIENT) == (1,)


def test_nobody_else_may_look(keys: FolderPatientKeys, folder: Path) -> None:
    keys.create(PATIENT)
    keys.renew(PATIENT)
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_folder_is_closed_when_it_was_open_before(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o755)
    FolderPatientKeys(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_names_of_files_do_not_name_patients(keys: FolderPatientKeys, folder: Path) -> None:
    keys.create(OTHER)
    assert all(OTHER not in path.name for path in folder.rglob("*"))


def test_secret_is_made_once(folder: Path) -> None:
    first = StewardSecrets(folder).pseudonyms
    assert len(first) == 32
    assert StewardSecrets(folder).pseudonyms == first


def test_secrets_of_two_stewards_differ(tmp_path: Path) -> None:
    assert StewardSecrets(tmp_path / "a").pseudonyms != StewardSecrets(tmp_path / "b").pseudonyms


def test_secret_is_not_shown(folder: Path) -> None:
    assert repr(StewardSecrets(folder)) == "StewardSecrets(…)"


def test_no_key_is_left_when_it_is_renewed_while_it_is_erased(keys: FolderPatientKeys) -> None:
    def renew() -> None:
        with suppress(KeyMissing):
            keys.renew(PATIENT)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            keys.create(PATIENT)
            renewals = [pool.submit(renew) for _ in range(3)]
            erased = keys.erase(PATIENT)
            for each in renewals:
                each.result()
            assert keys.generations(PATIENT) == ()
            keys.create(PATIENT)
            assert keys.generations(PATIENT) == (erased + 1,)
            keys.erase(PATIENT)


def test_key_store_is_neither_pickled_nor_copied(folder: Path) -> None:
    opened = KeyFolder.open_or_create(folder)
    for copy_of in (pickle.dumps, copy.deepcopy):
        for secretive in (opened, FolderPatientKeys(opened), StewardSecrets(opened)):
            with pytest.raises(TypeError, match="neither pickled nor copied"):
                copy_of(secretive)
