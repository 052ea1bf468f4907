"""A wallet: which account stands for what, kept through crashes and between processes."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from medaccord.core.errors import InvalidInput, KeyMissing, KeyStoreFailed, WrongPassphrase
from medaccord.keys import (
    GAP_LIMIT,
    LocalSigner,
    Origin,
    Passphrase,
    Seed,
    Wallet,
)
from medaccord.keys.wallet_state import WalletState
from tests.unit.keys.conftest import CHEAP

WORDS = "test test test test test test test test test test test junk"
STEWARD = LocalSigner.unsafe_from_key(b"\x01" * 32).address
GATEKEEPER = "https://gatekeeper.hospital.example"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "wallet.json"


@pytest.fixture
def wallet(path: Path, passphrase: Passphrase) -> Wallet:
    return Wallet.create(path, passphrase, cost=CHEAP)


@pytest.fixture
def restored(tmp_path: Path, passphrase: Passphrase) -> Wallet:
    return Wallet.restore(WORDS, tmp_path / "restored.json", passphrase, cost=CHEAP)


@pytest.fixture
def stranger() -> LocalSigner:
    return LocalSigner.create()


# --- The file


def test_wallet_opens_to_the_same_accounts(
    wallet: Wallet, path: Path, passphrase: Passphrase
) -> None:
    new = wallet.new_account(steward=STEWARD, gatekeeper=GATEKEEPER)
    opened = Wallet.open(path, passphrase)
    assert opened.accounts() == (new,)
    assert opened.signer(new.account).address == new.account
    assert opened.unsafe_words() == wallet.unsafe_words()
    assert (new.steward, new.gatekeeper, new.origin) == (STEWARD, GATEKEEPER, Origin.DERIVED)


def test_wallet_is_refused_when_the_passphrase_is_wrong(
    wallet: Wallet, path: Path, another: Passphrase
) -> None:
    with pytest.raises(WrongPassphrase, match="does not open"):
        Wallet.open(path, another)


def test_wallet_comes_back_from_a_copy_and_gives_nothing_until_it_is_settled(
    wallet: Wallet, tmp_path: Path, passphrase: Passphrase
) -> None:
    held = wallet.import_account(LocalSigner.create())
    wallet.back_up(tmp_path / "copy")
    again = Wallet.put_back(tmp_path / "copy", tmp_path / "again", passphrase, cost=CHEAP)
    assert again.signer(held.account).address == held.account
    with pytest.raises(InvalidInput, match="restore the wallet from the chain first"):
        again.new_account()
    again.settle((), next_index=0)
    assert again.new_account().index == held.index + 1
    assert not list(tmp_path.glob(".copy*"))


def test_copy_of_a_wallet_is_refused_when_something_is_there(wallet: Wallet, path: Path) -> None:
    with pytest.raises(InvalidInput, match="is there already: name another file"):
        wallet.back_up(path)


def test_copy_of_a_wallet_is_refused_when_its_folder_is_not_there(
    wallet: Wallet, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="copy cannot be written: No such file or directory"):
        wallet.back_up(tmp_path / "none" / "copy")


def test_wallet_does_not_come_back_from_a_copy_when_the_passphrase_is_wrong(
    wallet: Wallet, tmp_path: Path, another: Passphrase
) -> None:
    wallet.back_up(tmp_path / "copy")
    with pytest.raises(WrongPassphrase, match="does not open"):
        Wallet.put_back(tmp_path / "copy", tmp_path / "again", another, cost=CHEAP)
    assert not (tmp_path / "again").exists()


def test_wallet_is_missing_when_there_is_none(path: Path, passphrase: Passphrase) -> None:
    with pytest.raises(KeyMissing, match="there is no wallet at"):
        Wallet.open(path, passphrase)


def test_wallet_is_not_made_when_one_is_there(
    wallet: Wallet, path: Path, passphrase: Passphrase
) -> None:
    words = wallet.unsafe_words()
    with pytest.raises(InvalidInput, match="is there already"):
        Wallet.create(path, passphrase, cost=CHEAP)
    with pytest.raises(InvalidInput, match="is there already"):
        Wallet.restore(WORDS, path, passphrase, cost=CHEAP)
    assert Wallet.open(path, passphrase).unsafe_words() == words


def test_file_is_its_owners_alone_and_holds_no_secret_in_clear(wallet: Wallet, path: Path) -> None:
    other = LocalSigner.create()
    wallet.import_account(other)
    new = wallet.new_account(steward=STEWARD, gatekeeper=GATEKEEPER)
    content = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    for told in (*wallet.unsafe_words().split(), new.account, STEWARD, GATEKEEPER):
        assert told.lower() not in content.lower().replace('"wallet', "")
    assert other.unsafe_key().hex() not in content


def test_wallet_is_refused_when_its_file_is_open_to_others(
    wallet: Wallet, path: Path, passphrase: Passphrase
) -> None:
    path.chmod(0o640)
    with pytest.raises(InvalidInput, match="is open to others"):
        Wallet.open(path, passphrase)
    with pytest.raises(InvalidInput, match="is open to others"):
        wallet.accounts()


def test_wallet_is_refused_when_its_content_was_changed(wallet: Wallet, path: Path) -> None:
    file = json.loads(path.read_text())
    first = file["ciphertext"][:2]
    file["ciphertext"] = ("00" if first != "00" else "01") + file["ciphertext"][2:]
    path.write_text(json.dumps(file))
    with pytest.raises(InvalidInput, match="is damaged: restore it from its backup"):
        wallet.accounts()


def test_wallet_is_refused_when_its_file_is_none(
    wallet: Wallet, path: Path, passphrase: Passphrase
) -> None:
    path.write_text("{}")
    with pytest.raises(InvalidInput, match="is damaged: key: Field required"):
        Wallet.open(path, passphrase)


def test_wallet_is_refused_when_it_is_gone(wallet: Wallet, path: Path) -> None:
    path.unlink()
    with pytest.raises(KeyMissing, match="there is no wallet at"):
        wallet.new_account()


def test_wallet_is_out_of_reach_when_its_folder_is_a_file(
    tmp_path: Path, passphrase: Passphrase
) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(KeyStoreFailed, match="is out of reach"):
        Wallet.create(tmp_path / "home" / "wallet.json", passphrase, cost=CHEAP)


def test_changed_passphrase_opens_and_the_old_one_does_not(
    wallet: Wallet, path: Path, passphrase: Passphrase, another: Passphrase
) -> None:
    also_open = Wallet.open(path, passphrase)
    new = wallet.new_account()
    wallet.change_passphrase(another, cost=CHEAP)
    assert wallet.accounts() == Wallet.open(path, another).accounts() == (new,)
    with pytest.raises(WrongPassphrase):
        Wallet.open(path, passphrase)
    with pytest.raises(InvalidInput, match="was changed: open it again"):
        also_open.new_account()


def test_words_are_shown_by_nothing_else(wallet: Wallet) -> None:
    state = WalletState(words=WORDS, next_index=0)
    shown = f"{wallet!r} {wallet.seed!r} {wallet.accounts()!r} {state!r} {wallet._file!r}"
    assert not set(shown.split()) & set(wallet.unsafe_words().split())
    for copy_of in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="neither pickled nor copied"):
            copy_of(wallet)


def test_wallet_of_a_later_version_is_refused(
    path: Path, passphrase: Passphrase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr("medaccord.keys.wallet_state.PROFILE", "medaccord/wallet-content/2")
        Wallet.create(path, passphrase, cost=CHEAP)
    with pytest.raises(InvalidInput, match="use a newer one"):
        Wallet.open(path, passphrase)


# --- Accounts


def test_accounts_of_a_wallet_are_those_of_its_phrase_in_order(wallet: Wallet) -> None:
    made = [wallet.new_account() for _ in range(3)]
    seed = Seed.parse(wallet.unsafe_words())
    assert [each.index for each in made] == [0, 1, 2]
    assert [each.account for each in made] == [seed.account(index).address for index in range(3)]


def test_threads_are_never_given_one_account_twice(
    wallet: Wallet, path: Path, passphrase: Passphrase
) -> None:
    wallets = [wallet, Wallet.open(path, passphrase)] * 8
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda each: each.new_account(), wallets))
    assert sorted(each.index for each in made) == list(range(16))


def test_processes_are_never_given_one_account_twice(
    wallet: Wallet, path: Path, tmp_path: Path, passphrase: Passphrase
) -> None:
    script = (
        "import sys; from pathlib import Path; from medaccord.keys import *\n"
        "wallet = Wallet.open(Path(sys.argv[1]), Passphrase(bytes.fromhex(sys.argv[2])))\n"
        "for _ in range(6): print(wallet.new_account().index)\n"
    )
    arguments = [sys.executable, "-c", script, str(path), passphrase.unsafe_bytes().hex()]
    running = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    told = [int(line) for each in running for line in each.communicate()[0].splitlines()]
    assert [each.returncode for each in running] == [0, 0, 0]
    assert sorted(told) == list(range(18))


def test_account_is_refused_when_the_last_twenty_were_never_used(wallet: Wallet) -> None:
    made = [wallet.new_account() for _ in range(GAP_LIMIT)]
    with pytest.raises(InvalidInput, match=f"use {made[0].account}"):
        wallet.new_account()
    wallet.used(made[3].account)
    assert wallet.new_account().index == GAP_LIMIT


def test_account_is_noted_as_used_with_its_steward(wallet: Wallet) -> None:
    new = wallet.new_account()
    used = wallet.used(new.account, steward=STEWARD, gatekeeper=GATEKEEPER)
    assert used == replace(new, used=True, steward=STEWARD, gatekeeper=GATEKEEPER)
    assert wallet.used(new.account) == wallet.account(new.account) == used


def test_account_of_somebody_else_is_missing(wallet: Wallet, stranger: LocalSigner) -> None:
    for ask in (wallet.account, wallet.signer, wallet.next_signer, wallet.x25519, wallet.used):
        with pytest.raises(KeyMissing, match=f"no key of {stranger.address}"):
            ask(stranger.address)


def test_x25519_key_stands_beside_the_account_and_stays_when_it_is_rotated(wallet: Wallet) -> None:
    new = wallet.new_account()
    before = wallet.x25519(new.account).private_bytes_raw()
    assert before == wallet.seed.x25519(new.index).private_bytes_raw()
    wallet.rotated(new.account, wallet.next_signer(new.account).address)
    assert wallet.x25519(new.account).private_bytes_raw() == before


def test_signer_is_the_rotated_key_when_the_account_was_rotated(wallet: Wallet) -> None:
    new = wallet.new_account()
    following = wallet.next_signer(new.account).address
    assert following == wallet.next_signer(new.account).address != new.account
    assert wallet.signer(new.account).address == new.account
    rotated = wallet.rotated(new.account, following)
    assert (rotated.rotations, rotated.used) == (1, True)
    assert wallet.signer(new.account).address == following
    assert wallet.next_signer(new.account).address == wallet.seed.controller(0, 2).address


def test_rotation_that_was_not_noted_is_found_by_the_controller(wallet: Wallet) -> None:
    new = wallet.new_account()
    seed = wallet.seed
    wallet.rotated(new.account, seed.controller(new.index, 3).address)
    assert wallet.signer(new.account).address == seed.controller(new.index, 3).address
    wallet.rotated(new.account, new.account)
    assert wallet.account(new.account).rotations == 0


def test_rotation_is_refused_when_somebody_else_controls_the_account(
    wallet: Wallet, stranger: LocalSigner
) -> None:
    new = wallet.new_account()
    with pytest.raises(KeyMissing, match="no key of this wallet"):
        wallet.rotated(new.account, stranger.address)
    assert wallet.account(new.account) == new


def test_imported_account_is_signed_for_with_its_own_key_until_it_is_rotated(
    wallet: Wallet, path: Path, passphrase: Passphrase, stranger: LocalSigner
) -> None:
    first = wallet.new_account()
    imported = wallet.import_account(stranger, steward=STEWARD)
    assert (imported.account, imported.index) == (stranger.address, first.index + 1)
    opened = Wallet.open(path, passphrase)
    assert opened.signer(stranger.address).unsafe_key() == stranger.unsafe_key()
    following = opened.next_signer(stranger.address)
    assert following.address == opened.seed.controller(imported.index, 1).address
    opened.rotated(stranger.address, following.address)
    assert wallet.signer(stranger.address).address == following.address
    assert wallet.new_account().index == imported.index + 1


def test_account_is_refused_when_it_was_imported_before(
    wallet: Wallet, stranger: LocalSigner
) -> None:
    wallet.import_account(stranger)
    with pytest.raises(InvalidInput, match=f"holds {stranger.address} already"):
        wallet.import_account(stranger)


def test_recovered_account_keeps_its_address_and_is_signed_for_with_a_derived_key(
    wallet: Wallet, stranger: LocalSigner
) -> None:
    lost = stranger.address
    recovered = wallet.recover_account(lost, gatekeeper=GATEKEEPER)
    assert (recovered.account, recovered.origin) == (lost, Origin.RECOVERED)
    assert wallet.signer(lost).address == wallet.seed.account(recovered.index).address
    assert wallet.recover_account(lost) == recovered
    assert wallet.new_account().index == recovered.index + 1


def test_recovery_is_refused_when_the_account_is_derived(wallet: Wallet) -> None:
    new = wallet.new_account()
    with pytest.raises(InvalidInput, match=f"holds {new.account} already"):
        wallet.recover_account(new.account)


# --- Restored


def test_restored_wallet_gives_no_account_before_it_was_settled(
    restored: Wallet, stranger: LocalSigner
) -> None:
    refusal = "restore the wallet from the chain first"
    with pytest.raises(InvalidInput, match=refusal):
        restored.new_account()
    with pytest.raises(InvalidInput, match=refusal):
        restored.import_account(stranger)
    with pytest.raises(InvalidInput, match=refusal):
        restored.recover_account(stranger.address)


def test_settled_wallet_goes_on_after_what_was_found(restored: Wallet, tmp_path: Path) -> None:
    other = Wallet.restore(WORDS, tmp_path / "b", Passphrase(b"b"), cost=CHEAP)
    other.settle((), next_index=0)
    found = [other.used(other.new_account().account, steward=STEWARD) for _ in range(2)]
    rotated = replace(found[1], rotations=4)
    restored.settle([found[0], rotated], next_index=2)
    assert restored.accounts() == (found[0], rotated)
    assert restored.signer(rotated.account).address == restored.seed.controller(1, 4).address
    assert restored.new_account().index == 2


def test_settling_again_takes_nothing_away_and_gives_no_index_twice(restored: Wallet) -> None:
    restored.settle((), next_index=3)
    made = restored.new_account(steward=STEWARD, gatekeeper=GATEKEEPER)
    restored.settle([replace(made, steward=None, gatekeeper=None, rotations=1)], next_index=1)
    assert restored.accounts() == (replace(made, rotations=1, used=True),)
    assert restored.new_account().index == 4


def test_settling_is_refused_when_an_index_stands_for_two_accounts(
    restored: Wallet, stranger: LocalSigner
) -> None:
    restored.settle((), next_index=0)
    held = restored.import_account(stranger)
    found = replace(held, account=restored.seed.account(held.index).address, origin=Origin.DERIVED)
    with pytest.raises(InvalidInput, match="restore into a new one"):
        restored.settle([found], next_index=1)
    assert restored.accounts() == (held,)
