"""Signatures of wallets (ERC-1271): taken where a key's are, and for one wallet alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.consortium_actions import ConsortiumActions
from tests.contracts.deployed import expect_revert
from tests.contracts.keys import Wallet
from tests.contracts.masks import GOVERN, MEMBER, RESTRICT, STEWARD
from tests.contracts.member_actions import MEMBER_ACTIONS, Make
from tests.contracts.registry_actions import RegistryActions


@pytest.fixture
def wallet(wallet_of: Callable[[LocalAccount], Wallet], stranger: LocalAccount) -> Wallet:
    """A wallet that the stranger owns."""
    return wallet_of(stranger)


@pytest.fixture
def wallet_member(wallet: Wallet, motions: ConsortiumActions, hospital: LocalAccount) -> Wallet:
    """The wallet, as a member of the consortium."""
    motions.admit(wallet, MEMBER | STEWARD, members=[hospital])
    return wallet


@pytest.mark.parametrize("action", MEMBER_ACTIONS)
def test_wallet_acts_when_its_owner_signs(make: Make, wallet_member: Wallet, action: str) -> None:
    assert make(action, wallet_member).relay().logs


@pytest.mark.parametrize("action", MEMBER_ACTIONS)
def test_wallet_acts_when_it_sends_the_action_itself(
    make: Make, wallet_member: Wallet, action: str
) -> None:
    assert make(action, wallet_member).send().logs


@pytest.mark.parametrize("action", MEMBER_ACTIONS)
def test_wallet_is_refused_when_another_than_its_owner_signs(
    make: Make, wallet_member: Wallet, thief: LocalAccount, action: str
) -> None:
    wanted = make(action, wallet_member)
    with expect_revert("InvalidSignature", by=wallet_member.address, digest=wanted.digest()):
        wanted.relay(wanted.signature(thief))


@pytest.mark.parametrize("action", MEMBER_ACTIONS)
def test_wallet_is_refused_when_its_owner_sends_unsigned(
    make: Make, wallet_member: Wallet, action: str
) -> None:
    owner = wallet_member.owner
    with expect_revert("NotSender", by=wallet_member.address, sender=owner.address):
        make(action, wallet_member).send(owner)


@pytest.mark.parametrize("action", [a for a in MEMBER_ACTIONS if a != "rotation"])
def test_wallet_acts_when_it_controls_anothers_account(
    make: Make, accounts: RegistryActions, wallet: Wallet, hospital: LocalAccount, action: str
) -> None:
    accounts.rotation(hospital, wallet.address).relay()
    assert make(action, hospital, by=wallet).relay().logs


@pytest.mark.parametrize(
    ("action", "power"), [("revoke_all", RESTRICT), ("approval", GOVERN), ("withdrawal", GOVERN)]
)
@pytest.mark.parametrize("way", ["send", "relay"])
def test_wallet_acts_when_it_is_a_delegate(
    make: Make,
    accounts: RegistryActions,
    wallet: Wallet,
    hospital: LocalAccount,
    action: str,
    power: int,
    way: str,
) -> None:
    accounts.delegation(hospital, wallet.address, power).relay()
    assert getattr(make(action, hospital, by=wallet), way)().logs


@pytest.mark.parametrize("action", MEMBER_ACTIONS)
def test_signature_of_a_shared_owner_is_refused_for_the_other_wallet(
    make: Make,
    motions: ConsortiumActions,
    wallet_of: Callable[[LocalAccount], Wallet],
    wallet_member: Wallet,
    hospital: LocalAccount,
    action: str,
) -> None:
    second = wallet_of(wallet_member.owner)
    motions.admit(second, MEMBER, members=[hospital, wallet_member])
    signature = make(action, wallet_member).signature()
    wanted = make(action, second)
    with expect_revert("InvalidSignature", by=second.address, digest=wanted.digest()):
        wanted.relay(signature)
