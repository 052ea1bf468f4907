"""Runs an operation on a key store and kills it before each of its steps on the disk, in turn.

Run it as a program, with an operation's name and an empty folder: it forks, and what forks must
have one thread only. It prints how many steps there were.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medaccord.core.errors import InvalidInput, WrongPassphrase
from medaccord.keys import FolderPatientKeys, Keystore, LocalSigner, StewardSecrets
from medaccord.keys.key_folder import KeyFolder
from medaccord.keys.passphrase import Passphrase
from medaccord.keys.protection import change_passphrase, protect, renew_master

OLD, NEW = Passphrase(b"old"), Passphrase(b"new")
CHEAP = 2**4
REFS = ("one", "two", "three")
# What CPython tells an audit hook before it asks the system for it.
STEPS = {"open", "os.link", "os.rename", "os.remove", "os.mkdir", "os.truncate"}


def killed(run: Callable[[], object], folder: Path, step: int) -> bool:
    """Run in a process of its own, killed before a step; say whether it came that far."""
    child = os.fork()
    if child == 0:
        left = step

        def watch(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            if event in STEPS and str(arguments[0]).startswith(str(folder)):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        run()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.waitstatus_to_exitcode(status) == 0, "the operation failed by itself"
    return False


def filled(folder: Path, passphrase: Passphrase | None) -> dict[tuple[str, int], bytes]:
    store = KeyFolder.create(folder, passphrase, cost=CHEAP)
    keys = FolderPatientKeys(store)
    for ref in REFS:
        keys.create(ref)
    keys.renew("two")
    keys.erase("three")
    keys.create("three")
    return contents(store)


def contents(store: KeyFolder) -> dict[tuple[str, int], bytes]:
    keys = FolderPatientKeys(store)
    held = {
        (ref, number): keys.private(ref, number) for ref in REFS for number in keys.generations(ref)
    }
    return {**held, ("steward", 0): StewardSecrets(store).pseudonyms}


def opened(folder: Path, *passphrases: Passphrase | None) -> KeyFolder:
    for passphrase in passphrases:
        try:
            return KeyFolder.open(folder, passphrase)
        except InvalidInput:
            continue
    raise AssertionError("the key store opens with no passphrase that it was given")


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*") if not path.name.endswith(".lock")]


def in_clear(folder: Path, secrets: dict[tuple[str, int], bytes]) -> bool:
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return any(secret in content for secret in secrets.values() for content in files)


def protecting(folder: Path, step: int) -> bool:
    before = filled(folder, None)
    died = killed(lambda: protect(folder, NEW, cost=CHEAP), folder, step)
    master = folder / "master.json"
    assert contents(opened(folder, NEW if master.exists() else None)) == before
    if not master.exists() or b'"public": "01' in master.read_bytes():  # not finished
        protect(folder, NEW, cost=CHEAP)
    assert contents(KeyFolder.open(folder, NEW)) == before
    assert not in_clear(folder, before)
    return died


def renewing(folder: Path, step: int) -> bool:
    before = filled(folder, OLD)
    old = (folder / "steward-secret").read_bytes()[:64]
    died = killed(lambda: renew_master(folder, OLD, cost=CHEAP), folder, step)
    assert contents(KeyFolder.open(folder, OLD)) == before
    if died:
        renew_master(folder, OLD, cost=CHEAP)
    assert contents(KeyFolder.open(folder, OLD)) == before
    assert (folder / "steward-secret").read_bytes()[:64] != old
    return died


def changing(folder: Path, step: int) -> bool:
    before = filled(folder, OLD)
    died = killed(lambda: change_passphrase(folder, OLD, NEW, cost=CHEAP), folder, step)
    assert contents(opened(folder, OLD, NEW)) == before
    return died


def creating(folder: Path, step: int) -> bool:
    died = killed(lambda: KeyFolder.create(folder, NEW, cost=CHEAP), folder, step)
    store = KeyFolder.open_or_create(folder, NEW, cost=CHEAP)
    before = contents(store)
    assert contents(KeyFolder.open(folder, NEW)) == before
    return died


def rewording(folder: Path, step: int) -> bool:
    store = Keystore(folder, cost=CHEAP)
    account = store.add(LocalSigner.create(), OLD)
    died = killed(lambda: store.change_passphrase(account, OLD, NEW), folder, step)
    if died:
        try:
            assert store.unlock(account, OLD).address == account
            store.change_passphrase(account, OLD, NEW)
        except WrongPassphrase:
            store.change_passphrase(account, NEW, NEW)
    assert store.unlock(account, NEW).address == account
    assert leftovers(folder) == []
    return died


def erasing(folder: Path, step: int) -> bool:
    before = filled(folder, OLD)
    store = KeyFolder.open(folder, OLD)
    died = killed(lambda: FolderPatientKeys(store).erase("two"), folder, step)
    keys = FolderPatientKeys(KeyFolder.open(folder, OLD))
    if keys.generations("two"):
        assert keys.erase("two") == 2
    assert keys.create("two").generation == 3
    after = contents(KeyFolder.open(folder, OLD))
    kept = {name: secret for name, secret in before.items() if name[0] != "two"}
    assert kept.items() <= after.items()
    return died


OPERATIONS = {
    each.__name__: each for each in (protecting, renewing, changing, creating, rewording, erasing)
}


def main() -> None:
    operation, folder = OPERATIONS[sys.argv[1]], Path(sys.argv[2])
    step = 0
    while operation(folder, step):
        shutil.rmtree(folder)
        step += 1
    print(step)


if __name__ == "__main__":
    main()
