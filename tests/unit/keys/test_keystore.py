"""The keystore: what other wallets wrote opens, what is damaged says so, no key is ever lost."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from eth_account import Account

from medaccord.core.errors import InvalidInput, KeyMissing, WrongPassphrase
from medaccord.core.identifiers import address, digest
from medaccord.keys.keystore import Keystore
from medaccord.keys.passphrase import Passphrase
from medaccord.keys.signer import LocalSigner

# Source: Web3 secret storage definition, test vectors: one passphrase, one key, both derivations.
PUBLISHED = Passphrase(b"testpassword")
ACCOUNT = address("0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b")
KEY = bytes.fromhex("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d")
PBKDF2: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}
SCRYPT: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262144,
            "p": 8,
            "r": 1,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}


def put(store: Path, document: object, name: str | None = None) -> Path:
    store.mkdir(mode=0o700, exist_ok=True)
    path = store / (name or f"UTC--2016-02-23T00-00-00.123456789Z--{ACCOUNT[2:].lower()}")
    path.write_text(json.dumps(document), encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keystore"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.endswith(".lock"))


@pytest.mark.parametrize("document", [PBKDF2, SCRYPT], ids=["pbkdf2", "scrypt"])
def test_published_file_opens_when_it_is_named_as_geth_names_it(
    store: Keystore, folder: Path, document: dict[str, Any]
) -> None:
    put(folder, document)
    assert store.addresses() == (ACCOUNT,)
    assert store.unlock(ACCOUNT, PUBLISHED).unsafe_key() == KEY


def test_file_of_another_wallet_is_taken_over(
    store: Keystore, folder: Path, tmp_path: Path
) -> None:
    # The first wallets wrote the member with a capital, geth the address without 0x.
    geth = {**PBKDF2, "address": ACCOUNT[2:].lower()}
    geth["Crypto"] = geth.pop("crypto")
    assert store.add_file(put(tmp_path, geth, "from-geth"), PUBLISHED) == ACCOUNT
    assert [path.name for path in files(folder)] == [f"account-{ACCOUNT[2:].lower()}.json"]
    assert store.unlock(ACCOUNT, PUBLISHED).address == ACCOUNT


def test_other_wallets_open_what_is_made_here(
    store: Keystore, folder: Path, passphrase: Passphrase
) -> None:
    account = store.create(passphrase)
    (path,) = files(folder)
    key = Account.decrypt(path.read_text(), passphrase.unsafe_bytes().decode())
    assert Account.from_key(key).address == account


def test_standard_is_what_ethereum_wallets_spend(folder: Path, passphrase: Passphrase) -> None:
    Keystore(folder).create(passphrase)
    parameters = json.loads(files(folder)[0].read_text())["crypto"]["kdfparams"]
    assert (parameters["n"], parameters["r"], parameters["p"]) == (2**18, 8, 1)


def test_account_is_unlocked_when_the_folder_is_opened_again(
    store: Keystore, folder: Path, passphrase: Passphrase
) -> None:
    account = store.create(passphrase)
    assert Keystore(folder).unlock(account, passphrase).address == account


def test_accounts_are_listed_without_a_passphrase(store: Keystore, passphrase: Passphrase) -> None:
    made = {store.create(passphrase) for _ in range(3)}
    store.create_x25519(passphrase)
    assert store.addresses() == tuple(sorted(made))


def test_empty_keystore_lists_nothing_and_makes_no_folder(store: Keystore, folder: Path) -> None:
    assert (store.addresses(), store.x25519_keys()) == ((), ())
    assert not folder.exists()


def test_folder_and_files_are_closed_to_others(
    store: Keystore, folder: Path, passphrase: Passphrase, another: Passphrase
) -> None:
    account, public = store.create(passphrase), store.create_x25519(passphrase)
    store.change_passphrase(account, passphrase, another)
    store.change_x25519_passphrase(public, passphrase, another)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_key_is_not_in_the_file(store: Keystore, folder: Path, passphrase: Passphrase) -> None:
    signer = LocalSigner.create()
    store.add(signer, passphrase)
    content = files(folder)[0].read_bytes()
    assert signer.unsafe_key() not in content
    assert signer.unsafe_key().hex().encode() not in content.lower()


def test_second_file_of_an_account_is_refused(
    store: Keystore, folder: Path, another: Passphrase
) -> None:
    put(folder, PBKDF2)
    with pytest.raises(InvalidInput, match=f"holds the key of {ACCOUNT} already"):
        store.add(LocalSigner.unsafe_from_key(KEY), another)
    assert store.unlock(ACCOUNT, PUBLISHED).address == ACCOUNT


def test_unlocking_is_refused_when_the_passphrase_is_wrong(
    store: Keystore, folder: Path, passphrase: Passphrase, another: Passphrase
) -> None:
    account = store.create(passphrase)
    with pytest.raises(WrongPassphrase) as caught:
        store.unlock(account, another)
    (path,) = files(folder)
    assert caught.value.problem == f"the passphrase does not open {path}, or the file was changed"


def test_unlocking_is_refused_when_the_account_is_not_here(
    store: Keystore, folder: Path, passphrase: Passphrase
) -> None:
    with pytest.raises(KeyMissing, match=f"{folder} holds no key of {ACCOUNT}"):
        store.unlock(ACCOUNT, passphrase)


def changed(**values: object) -> Callable[[dict[str, Any]], object]:
    def change(document: dict[str, Any]) -> object:
        for where, value in values.items():
            *path, last = where.split("__")
            inner = document
            for name in path:
                inner = inner[name]
            inner[last] = value
        return document

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda document: [document], "the whole: Input should be an object"),
        (changed(version=1), "version: Input should be 3"),
        (changed(crypto={}), "crypto: Unable to extract tag"),
        (changed(crypto__kdf="argon2"), "'argon2'"),
        (changed(crypto__cipher="aes-256-ecb"), "cipher: Input should be 'aes-128-ctr'"),
        (changed(crypto__mac="00"), "mac: String should match"),
        (changed(crypto__cipherparams__iv=""), "iv: String should match"),
        (changed(crypto__ciphertext="zz"), "ciphertext: String should match"),
        (changed(crypto__kdfparams__c=10**12), "less than or equal to 10000000"),
        (changed(crypto__kdfparams__prf="hmac-md5"), "prf: Input should be 'hmac-sha256'"),
        (changed(crypto__kdfparams__dklen=16), "dklen: Input should be 32"),
        (changed(address="nobody"), "its address is none"),
        (changed(address="11" * 20), "another key than that of its address"),
    ],
)
def test_file_is_refused_by_name_when_it_is_damaged(
    store: Keystore, folder: Path, change: Callable[[dict[str, Any]], object], problem: str
) -> None:
    path = put(folder, change(json.loads(json.dumps(PBKDF2))))
    with pytest.raises(InvalidInput) as caught:
        store.unlock(ACCOUNT, PUBLISHED)
    assert str(path) in caught.value.problem
    assert "is damaged" in caught.value.problem
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    "parameters",
    [{"n": 2**31}, {"n": 2**20, "r": 9}, {"n": 3}, {"n": 1}, {"r": 0}, {"p": 0}, {"p": 17}],
)
def test_file_is_refused_at_once_when_it_asks_for_more_than_an_honest_one(
    store: Keystore, folder: Path, parameters: dict[str, int]
) -> None:
    document = json.loads(json.dumps(SCRYPT))
    document["crypto"]["kdfparams"].update(parameters)
    put(folder, document)
    with pytest.raises(InvalidInput, match=r"is damaged: its scrypt parameters n=\d+, r=\d, p=\d+"):
        store.unlock(ACCOUNT, PUBLISHED)


def test_file_is_refused_when_it_was_cut(store: Keystore, passphrase: Passphrase) -> None:
    account = store.create(passphrase)
    (path,) = files(store.folder)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InvalidInput, match="is damaged: the whole: Invalid JSON"):
        store.unlock(account, passphrase)


def test_file_is_refused_when_its_name_tells_another_account(store: Keystore, folder: Path) -> None:
    path = put(folder, PBKDF2, f"account-{40 * '1'}.json")
    with pytest.raises(InvalidInput, match=f"{path.name} holds the key of {ACCOUNT}, not what"):
        store.unlock(address("0x" + 40 * "1"), PUBLISHED)


def test_file_is_refused_when_others_can_read_it(store: Keystore, passphrase: Passphrase) -> None:
    account = store.create(passphrase)
    (path,) = files(store.folder)
    path.chmod(0o644)
    with pytest.raises(InvalidInput) as caught:
        store.unlock(account, passphrase)
    assert caught.value.problem == (
        f"the key file {path} is open to others (mode 0644): chmod 600 {path}"
    )


def test_file_is_refused_when_it_is_endless(store: Keystore, folder: Path) -> None:
    path = put(folder, PBKDF2)
    os.truncate(path, 2**30)
    with pytest.raises(InvalidInput, match="is longer than 65536 bytes"):
        store.unlock(ACCOUNT, PUBLISHED)


def test_changed_passphrase_opens_and_the_old_one_does_not(
    store: Keystore, passphrase: Passphrase, another: Passphrase
) -> None:
    account = store.create(passphrase)
    store.change_passphrase(account, passphrase, another)
    assert store.unlock(account, another).address == account
    with pytest.raises(WrongPassphrase):
        store.unlock(account, passphrase)
    assert len(files(store.folder)) == 1


def test_file_stays_as_it_was_when_the_old_passphrase_is_wrong(
    store: Keystore, passphrase: Passphrase, another: Passphrase
) -> None:
    account = store.create(passphrase)
    before = files(store.folder)[0].read_bytes()
    with pytest.raises(WrongPassphrase):
        store.change_passphrase(account, another, another)
    assert [path.read_bytes() for path in files(store.folder)] == [before]


def test_key_opens_when_what_it_was_encrypted_with_begins_with_zeros(
    store: Keystore, passphrase: Passphrase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One key in 256: its initialisation vector is written a byte shorter."""
    with monkeypatch.context() as chance:
        chance.setattr(
            "eth_keyfile.keyfile.Random.get_random_bytes", lambda size: b"\0" + b"\7" * (size - 1)
        )
        account = store.create(passphrase)
    assert store.unlock(account, passphrase).address == account


def test_removed_key_is_gone(store: Keystore, passphrase: Passphrase) -> None:
    account, other = store.create(passphrase), store.create(passphrase)
    store.remove(account)
    assert store.addresses() == (other,)
    with pytest.raises(KeyMissing):
        store.remove(account)


def test_x25519_key_is_unlocked_when_the_folder_is_opened_again(
    store: Keystore, passphrase: Passphrase
) -> None:
    public = store.create_x25519(passphrase)
    key = Keystore(store.folder).unlock_x25519(public, passphrase)
    assert key.public_key().public_bytes_raw() == public
    assert store.x25519_keys() == (public,)


def test_x25519_key_is_unlocked_by_the_changed_passphrase_alone(
    store: Keystore, passphrase: Passphrase, another: Passphrase
) -> None:
    key = X25519PrivateKey.generate()
    public = store.add_x25519(key, passphrase)
    store.change_x25519_passphrase(public, passphrase, another)
    assert store.unlock_x25519(public, another).private_bytes_raw() == key.private_bytes_raw()
    with pytest.raises(WrongPassphrase):
        store.unlock_x25519(public, passphrase)


def test_second_file_of_an_x25519_key_is_refused(
    store: Keystore, passphrase: Passphrase, another: Passphrase
) -> None:
    key = X25519PrivateKey.generate()
    public = store.add_x25519(key, passphrase)
    with pytest.raises(InvalidInput, match=f"holds the X25519 key 0x{public.hex()} already"):
        store.add_x25519(key, another)


def test_x25519_key_is_missing_when_it_was_removed(store: Keystore, passphrase: Passphrase) -> None:
    public = store.create_x25519(passphrase)
    store.remove_x25519(public)
    with pytest.raises(KeyMissing, match=f"holds no X25519 key 0x{public.hex()}"):
        store.unlock_x25519(public, passphrase)


def test_x25519_file_is_refused_when_it_lies_under_another_name(
    store: Keystore, passphrase: Passphrase
) -> None:
    store.create_x25519(passphrase)
    (path,) = files(store.folder)
    path.rename(path.with_name(f"x25519-{64 * '1'}.json"))
    with pytest.raises(InvalidInput, match="holds another key than its name says"):
        store.unlock_x25519(digest("0x" + 64 * "1"), passphrase)
