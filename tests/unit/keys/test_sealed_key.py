"""A sealed key opens under its passphrase as it was sealed, and otherwise not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from medaccord.core.errors import InvalidInput, WrongPassphrase
from medaccord.keys.passphrase import Passphrase
from medaccord.keys.sealed_key import MASTER, STANDARD_COST, X25519, SealedKey
from tests.unit.keys.conftest import CHEAP

SECRET = bytes(range(32))
PUBLIC = 32 * b"\xaa"


@pytest.fixture
def document(passphrase: Passphrase) -> dict[str, Any]:
    sealed = SealedKey.seal(SECRET, passphrase, kind=X25519, public=PUBLIC, cost=CHEAP)
    parsed: dict[str, Any] = json.loads(sealed.encode())
    return parsed


def decoded(document: object) -> SealedKey:
    return SealedKey.decode(json.dumps(document).encode(), kind=X25519, where="k.json")


def test_key_comes_back_when_the_passphrase_is_right(
    document: dict[str, Any], passphrase: Passphrase
) -> None:
    assert decoded(document).open(passphrase, where="k.json") == SECRET


def test_document_tells_what_it_is_and_no_secret(document: dict[str, Any]) -> None:
    assert (document["kind"], document["public"]) == (X25519, PUBLIC.hex())
    assert SECRET.hex() not in json.dumps(document)


def test_sealing_again_gives_another_document(passphrase: Passphrase) -> None:
    first, second = (
        SealedKey.seal(SECRET, passphrase, kind=X25519, public=PUBLIC, cost=CHEAP) for _ in range(2)
    )
    assert first.id != second.id
    assert first.kdf.salt != second.kdf.salt
    assert first.cipher != second.cipher


def test_opening_is_refused_when_the_passphrase_is_wrong(
    document: dict[str, Any], another: Passphrase
) -> None:
    with pytest.raises(WrongPassphrase) as caught:
        decoded(document).open(another, where="k.json")
    assert caught.value.problem == "the passphrase does not open k.json, or the file was changed"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("public",), 32 * "bb"),
        (("id",), "another"),
        (("kdf", "salt"), 32 * "00"),
        (("kdf", "n"), CHEAP * 2),
        (("kdf", "r"), 4),
        (("kdf", "p"), 2),
        (("cipher", "nonce"), 12 * "00"),
        (("cipher", "ciphertext"), 48 * "00"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_opening_is_refused_when_anything_was_changed(
    document: dict[str, Any], passphrase: Passphrase, path: tuple[str, ...], value: object
) -> None:
    inner = document
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    with pytest.raises(WrongPassphrase, match="or the file was changed"):
        decoded(document).open(passphrase, where="k.json")


def test_opening_is_refused_when_the_kind_was_changed(
    document: dict[str, Any], passphrase: Passphrase
) -> None:
    changed = json.dumps({**document, "kind": MASTER}).encode()
    sealed = SealedKey.decode(changed, kind=MASTER, where="k.json")
    with pytest.raises(WrongPassphrase):
        sealed.open(passphrase, where="k.json")


def test_document_is_refused_when_it_is_of_another_kind(document: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"k\.json holds a key of kind medaccord/x25519/1, not"):
        SealedKey.decode(json.dumps(document).encode(), kind=MASTER, where="k.json")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": "medaccord/x25519/2"}, "kind: Input should be"),
        ({"public": "0x00"}, "public: String should match"),
        ({"id": 7}, "id: Input should be a valid string"),
        ({"more": 1}, "more: Extra inputs are not permitted"),
        ({"cipher": None}, "cipher: Input should be"),
        ({"kdf": {"name": "md5"}}, "kdf.name: Input should be 'scrypt'"),
    ],
)
def test_document_is_refused_by_name_when_it_is_damaged(
    document: dict[str, Any], change: dict[str, object], problem: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        decoded({**document, **change})
    assert caught.value.problem.startswith(f"k.json is damaged: {problem}")
    assert caught.value.problem.endswith("restore it from its backup")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b"null"])
def test_document_is_refused_when_it_is_no_json_object(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"k\.json is damaged: the whole: "):
        SealedKey.decode(data, kind=X25519, where="k.json")


@pytest.mark.parametrize(("n", "r"), [(2, 0), (2, 65), (2, 2**22)])
def test_document_is_refused_when_it_asks_for_dishonest_blocks(
    document: dict[str, Any], n: int, r: int
) -> None:
    document["kdf"] |= {"n": n, "r": r}
    with pytest.raises(InvalidInput, match=f"is damaged: its scrypt parameters n={n}, r={r}, p=1"):
        decoded(document)


@pytest.mark.parametrize("n", [0, 1, 3, 2**21, 2**62])
def test_document_is_refused_when_it_asks_for_dishonest_work(
    document: dict[str, Any], n: int
) -> None:
    document["kdf"]["n"] = n
    with pytest.raises(InvalidInput, match=f"is damaged: its scrypt parameters n={n}, r=8"):
        decoded(document)


def test_most_work_is_a_gibibyte(document: dict[str, Any]) -> None:
    document["kdf"]["n"] = 2**20
    assert decoded(document).kdf.n == 2**20


def test_standard_is_the_one_of_ethereum_wallets(passphrase: Passphrase) -> None:
    sealed = SealedKey.seal(SECRET, passphrase, kind=X25519, public=PUBLIC)
    assert sealed.kdf.n == STANDARD_COST == 2**18
    assert sealed.open(passphrase, where="k.json") == SECRET
