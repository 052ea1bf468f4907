"""Runs an operation on keys, and kills it before each of its steps on the disk, in turn.

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

from medaccord.core.errors import InvalidInput, KeyMissing, WrongPassphrase
from medaccord.keys import FolderPatientKeys, Keystore, LocalSigner, StewardSecrets, Wallet
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


# --- Wallets

WORDS = "test test test test test test test test test test test junk"


def filled_wallet(folder: Path) -> Wallet:
    wallet = Wallet.restore(WORDS, folder / "wallet.json", OLD, cost=CHEAP)
    wallet.settle((), next_index=0)
    wallet.new_account()
    wallet.import_account(LocalSigner.create())
    return wallet


def reopened(folder: Path) -> Wallet:
    wallet = Wallet.open(folder / "wallet.json", OLD)
    assert leftovers(folder) == []
    return wallet


def making(folder: Path, step: int) -> bool:
    died = killed(lambda: Wallet.create(folder / "wallet.json", OLD, cost=CHEAP), folder, step)
    try:
        assert reopened(folder).accounts() == ()
    except KeyMissing:
        assert died
        Wallet.create(folder / "wallet.json", OLD, cost=CHEAP)
        assert reopened(folder).accounts() == ()
    return died


def giving(folder: Path, step: int) -> bool:
    before = filled_wallet(folder).accounts()
    given = folder.parent / "given"
    given.unlink(missing_ok=True)

    def give() -> None:
        new = Wallet.open(folder / "wallet.json", OLD).new_account()
        given.write_text(str(new.index))

    died = killed(give, folder, step)
    wallet = reopened(folder)
    assert wallet.accounts()[: len(before)] == before
    following = wallet.new_account()
    assert following.index == len(wallet.accounts()) - 1
    assert wallet.signer(before[1].account).address == before[1].account
    if given.exists():
        assert following.index == int(given.read_text()) + 1
    return died


def rotating(folder: Path, step: int) -> bool:
    wallet = filled_wallet(folder)
    imported = wallet.accounts()[1].account
    controller = wallet.next_signer(imported).address
    died = killed(lambda: wallet.rotated(imported, controller), folder, step)
    wallet = reopened(folder)
    assert wallet.signer(imported).address in (imported, controller)
    wallet.rotated(imported, controller)
    assert reopened(folder).signer(imported).address == controller
    return died


def rewording_wallet(folder: Path, step: int) -> bool:
    wallet = filled_wallet(folder)
    before = wallet.accounts()
    died = killed(lambda: wallet.change_passphrase(NEW, cost=CHEAP), folder, step)
    try:
        changed = Wallet.open(folder / "wallet.json", NEW)
    except WrongPassphrase:
        assert died
        changed = Wallet.open(folder / "wallet.json", OLD)
        changed.change_passphrase(NEW, cost=CHEAP)
    assert changed.accounts() == before
    assert leftovers(folder) == []
    return died


OPERATIONS = {
    each.__name__: each
    for each in (
        *(protecting, renewing, changing, creating, rewording, erasing),
        *(making, giving, rotating, rewording_wallet),
    )
}


def main() -> None:
    operation, folder = OPERATIONS[sys.argv[1]], Path(sys.argv[2])
    step = 0
    while operation(folder, step):
        shutil.rmtree(folder, ignore_errors=True)  # it may not have come to make it
        step += 1
    print(step)


if __name__ == "__main__":
    main()
