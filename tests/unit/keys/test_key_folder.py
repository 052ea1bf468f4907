"""A key store that is there is opened, one that is lost is never made anew, locked is locked."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medaccord.core.errors import (
    InvalidInput,
    KeyMissing,
    KeyStoreFailed,
    MedaccordError,
    WrongPassphrase,
)
from medaccord.keys import FolderPatientKeys, StewardSecrets
from medaccord.keys.key_folder import KeyFolder
from medaccord.keys.passphrase import Passphrase
from tests.unit.keys.conftest import CHEAP

PATIENT = "patient-1"
OTHER = "patient-2"


def key_file(folder: Path) -> Path:
    (path,) = (each for each in folder.glob("patient-*") if each.is_file())
    return path


def test_keys_are_there_when_an_encrypted_store_is_opened_again(
    encrypted: KeyFolder, folder: Path, passphrase: Passphrase
) -> None:
    keys = FolderPatientKeys(encrypted)
    keys.create(PATIENT)
    newest = keys.renew(PATIENT)
    again = KeyFolder.open(folder, passphrase)
    assert FolderPatientKeys(again).public(PATIENT) == newest
    assert FolderPatientKeys(again).private(PATIENT, 1) == keys.private(PATIENT, 1)
    assert StewardSecrets(again).pseudonyms == StewardSecrets(encrypted).pseudonyms
    assert (encrypted.encrypted, KeyFolder.open(folder, passphrase).encrypted) == (True, True)


def test_no_secret_is_in_any_file_of_an_encrypted_store(encrypted: KeyFolder, folder: Path) -> None:
    keys = FolderPatientKeys(encrypted)
    for ref in (PATIENT, OTHER):
        keys.create(ref)
        keys.renew(ref)
    secrets = [
        encrypted.secret,
        *(keys.private(ref, number) for ref in (PATIENT, OTHER) for number in (1, 2)),
    ]
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert len(files) > len(secrets)
    for secret in secrets:
        assert all(secret not in content for content in files)
        assert all(secret.hex().encode() not in content for content in files)


def test_making_a_store_again_is_refused(plain: KeyFolder, folder: Path) -> None:
    with pytest.raises(InvalidInput, match="is a key store already: open it"):
        KeyFolder.create(folder)
    assert KeyFolder.open(folder).secret == plain.secret


def test_one_store_is_made_when_many_make_it(folder: Path, passphrase: Passphrase) -> None:
    def make(_: int) -> bytes:
        return KeyFolder.open_or_create(folder, passphrase, cost=CHEAP).secret

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(16)))) == 1


@pytest.mark.parametrize("made", [False, True], ids=["no folder", "an empty folder"])
def test_opening_is_refused_and_nothing_made_when_there_is_no_store(
    folder: Path, made: bool
) -> None:
    if made:
        folder.mkdir()
    with pytest.raises(KeyStoreFailed) as caught:
        KeyFolder.open(folder)
    assert str(caught.value) == (
        f"{folder} is no key store: it holds no steward-secret. Is its disk mounted?"
        " If it is lost, restore it from its backup"
    )
    assert folder.exists() is made
    assert not made or list(folder.iterdir()) == []


def test_no_store_is_made_where_keys_are_left_without_the_secret(
    plain: KeyFolder, folder: Path
) -> None:
    FolderPatientKeys(plain).create(PATIENT)
    (folder / "steward-secret").unlink()
    with pytest.raises(KeyStoreFailed, match="holds no steward-secret"):
        KeyFolder.open_or_create(folder)
    assert not (folder / "steward-secret").exists()


def test_opening_is_refused_when_a_passphrase_is_needed(encrypted: KeyFolder, folder: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        FolderPatientKeys(folder)
    assert caught.value.problem == f"the keys in {folder} are encrypted: a passphrase is needed"


def test_opening_is_refused_when_the_passphrase_is_wrong(
    encrypted: KeyFolder, folder: Path, another: Passphrase
) -> None:
    with pytest.raises(WrongPassphrase) as caught:
        KeyFolder.open(folder, another)
    assert caught.value.problem == (
        f"the passphrase does not open {folder / 'master.json'}, or the file was changed"
    )


def test_opening_is_refused_when_there_is_a_passphrase_for_what_is_in_clear(
    plain: KeyFolder, folder: Path, passphrase: Passphrase
) -> None:
    with pytest.raises(InvalidInput, match="are not encrypted: protect them first, or give no"):
        KeyFolder.open(folder, passphrase)


def test_opening_is_refused_when_the_file_of_the_master_is_lost(
    encrypted: KeyFolder, folder: Path
) -> None:
    (folder / "master.json").unlink()
    with pytest.raises(KeyStoreFailed, match=r"encrypted, and .* restore master\.json"):
        KeyFolder.open(folder)


def test_opening_is_refused_when_the_file_of_the_master_is_damaged(
    encrypted: KeyFolder, folder: Path, passphrase: Passphrase
) -> None:
    file = folder / "master.json"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(InvalidInput, match=r"master\.json is damaged: the whole: Invalid JSON"):
        KeyFolder.open(folder, passphrase)


@pytest.mark.parametrize("name", ["master.json", "steward-secret"])
def test_opening_is_refused_when_others_can_read_a_file(
    encrypted: KeyFolder, folder: Path, passphrase: Passphrase, name: str
) -> None:
    (folder / name).chmod(0o640)
    with pytest.raises(MedaccordError, match=rf"\(mode 0640\): chmod 600 {folder}"):
        KeyFolder.open(folder, passphrase)


def test_folder_that_was_open_to_others_is_closed_when_it_is_opened(
    plain: KeyFolder, folder: Path
) -> None:
    folder.chmod(0o755)
    KeyFolder.open(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("linked", [False, True], ids=["a draft", "a second name"])
def test_what_a_killed_writer_left_is_swept_and_no_key_with_it(
    plain: KeyFolder, folder: Path, linked: bool
) -> None:
    keys = FolderPatientKeys(plain)
    made = keys.create(PATIENT)
    left = folder / f".{key_file(folder).name}.0123456789abcdef"
    if linked:
        left.hardlink_to(key_file(folder))
    else:
        left.write_bytes(b"never used")
    KeyFolder.open(folder)
    assert not left.exists()
    assert keys.public(PATIENT) == made


USES: list[Callable[[FolderPatientKeys], object]] = [
    lambda keys: keys.public(PATIENT),
    lambda keys: keys.private(PATIENT, 1),
    lambda keys: keys.generations(PATIENT),
    lambda keys: keys.create(OTHER),
    lambda keys: keys.create(PATIENT),
    lambda keys: keys.renew(PATIENT),
    lambda keys: keys.retire(PATIENT, 1),
    lambda keys: keys.erase(PATIENT),
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("left", ["nothing", "an empty folder", "a file in its place"])
def test_nothing_counts_as_erased_and_nothing_is_made_when_the_store_is_gone(
    encrypted: KeyFolder, folder: Path, use: Callable[[FolderPatientKeys], object], left: str
) -> None:
    keys = FolderPatientKeys(encrypted)
    keys.create(PATIENT)
    shutil.rmtree(folder)
    if left == "an empty folder":
        folder.mkdir()
    elif left == "a file in its place":
        folder.touch()
    with pytest.raises(KeyStoreFailed, match=f"{folder} is"):
        use(keys)
    assert not folder.is_dir() or not list(folder.glob("*"))


@pytest.mark.parametrize(
    "use",
    [
        lambda keys: keys.create(PATIENT),
        lambda keys: keys.public(PATIENT),
        lambda keys: keys.private(PATIENT, 1),
        lambda keys: keys.generations(PATIENT),
        lambda keys: keys.erase(PATIENT),
    ],
    ids=["create", "public", "private", "generations", "erase"],
)
def test_nothing_counts_as_erased_and_nothing_is_made_when_another_store_is_in_its_place(
    plain: KeyFolder, folder: Path, use: Callable[[FolderPatientKeys], object]
) -> None:
    keys = FolderPatientKeys(plain)
    keys.create(PATIENT)
    shutil.rmtree(folder)
    KeyFolder.create(folder)
    with pytest.raises(KeyStoreFailed, match="is another key store than the one opened"):
        use(keys)


def test_file_that_is_damaged_is_told_by_its_name(encrypted: KeyFolder, folder: Path) -> None:
    keys = FolderPatientKeys(encrypted)
    keys.create(PATIENT)
    path = key_file(folder)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(KeyStoreFailed, match=f"{path.name} is damaged, or another file under its"):
        keys.public(PATIENT)


def test_file_that_was_cut_is_told_by_its_name(encrypted: KeyFolder, folder: Path) -> None:
    keys = FolderPatientKeys(encrypted)
    keys.create(PATIENT)
    path = key_file(folder)
    for length in (40, 50, 60):
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(KeyStoreFailed, match=path.name):
            keys.public(PATIENT)


def test_file_of_one_patient_is_refused_under_the_name_of_another(
    encrypted: KeyFolder, folder: Path
) -> None:
    keys = FolderPatientKeys(encrypted)
    keys.create(PATIENT)
    first = key_file(folder)
    content = first.read_bytes()
    keys.erase(PATIENT)
    keys.create(OTHER)
    key_file(folder).write_bytes(content)
    with pytest.raises(KeyStoreFailed, match="another file under its name"):
        keys.public(OTHER)


def test_older_generation_is_refused_under_the_number_of_a_newer(
    encrypted: KeyFolder, folder: Path
) -> None:
    keys = FolderPatientKeys(encrypted)
    keys.create(PATIENT)
    keys.renew(PATIENT)
    newer = next(folder.glob("*.later")) / "2"
    newer.write_bytes(key_file(folder).read_bytes())
    with pytest.raises(KeyStoreFailed, match=r"later/2 is damaged, or another file"):
        keys.public(PATIENT)


def test_key_in_clear_is_not_believed_in_an_encrypted_store(
    encrypted: KeyFolder, folder: Path
) -> None:
    keys = FolderPatientKeys(encrypted)
    keys.create(PATIENT)
    key_file(folder).write_bytes(32 * b"\x01")
    with pytest.raises(KeyStoreFailed, match="is not encrypted, as everything in this key store"):
        keys.public(PATIENT)


@pytest.mark.parametrize("kind", ["plain", "encrypted"])
def test_key_whose_erasure_was_stopped_half_way_is_missing_and_erased_again(
    request: pytest.FixtureRequest, folder: Path, kind: str
) -> None:
    keys = FolderPatientKeys(request.getfixturevalue(kind))
    keys.create(PATIENT)
    path = key_file(folder)
    path.write_bytes(bytes(path.stat().st_size))  # overwritten, and then the power failed
    with pytest.raises(KeyMissing):
        keys.public(PATIENT)
    assert keys.erase(PATIENT) == 1
    assert keys.create(PATIENT).generation == 2


def test_masters_and_folders_show_no_key(encrypted: KeyFolder, folder: Path) -> None:
    assert repr(encrypted) == f"KeyFolder({folder})"
    assert repr(encrypted._masters) == "Masters(…)"
