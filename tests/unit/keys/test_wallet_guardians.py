"""What a wallet keeps of guardians: its own, and whom it is one for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medaccord.core.errors import KeyMissing
from medaccord.core.identifiers import digest
from medaccord.keys import Guardianship, KeptCircle, LocalSigner, Passphrase, Wallet
from tests.unit.keys.conftest import CHEAP

STEWARD = LocalSigner.unsafe_from_key(b"\x01" * 32).address


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "wallet.json"


@pytest.fixture
def wallet(path: Path, passphrase: Passphrase) -> Wallet:
    return Wallet.create(path, passphrase, cost=CHEAP)


@pytest.fixture
def stranger() -> LocalSigner:
    return LocalSigner.create()


def test_circles_are_kept_per_account_with_the_latest_last(
    wallet: Wallet, path: Path, passphrase: Passphrase, stranger: LocalSigner
) -> None:
    account = wallet.new_account().account
    salts = {stranger.address: digest(b"\x05" * 32)}
    first = KeptCircle(account=account, salts=salts, threshold=1)
    second = replace(first, salts={**salts, STEWARD: digest(b"\x06" * 32)}, threshold=2)
    for circle in (first, second, second):
        wallet.keep_circle(circle)
    assert Wallet.open(path, passphrase).circles(account) == (first, second)
    assert wallet.circles(STEWARD) == ()


def test_guardians_key_is_fresh_for_each_account_guarded(wallet: Wallet) -> None:
    made = [wallet.new_guardianship() for _ in range(3)]
    assert len({each.guardian for each in made}) == len({each.index for each in made}) == 3
    assert wallet.guardianships() == tuple(made)
    assert [wallet.seed.guardian(each.index).address for each in made] == [
        each.guardian for each in made
    ]


def test_handout_is_kept_with_its_key(wallet: Wallet, path: Path, passphrase: Passphrase) -> None:
    first, second = wallet.new_guardianship(), wallet.new_guardianship()
    kept = replace(first, handout="{}")
    wallet.keep_guardianship(kept)
    assert Wallet.open(path, passphrase).guardianships() == (second, kept)


def test_handout_is_refused_when_its_key_is_another_persons(
    wallet: Wallet, stranger: LocalSigner
) -> None:
    kept = Guardianship(index=0, guardian=stranger.address, handout="{}")
    with pytest.raises(KeyMissing, match="no guardian's key of this wallet"):
        wallet.keep_guardianship(kept)
