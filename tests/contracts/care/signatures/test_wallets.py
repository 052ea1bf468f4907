"""Wallets: an ERC-1271 contract acts as controller or as delegate, with its owner's signature."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.action import Action
from tests.contracts.care.signatures.possible_actions import ACCOUNT_OF, PossibleActions
from tests.contracts.deployed import expect_revert
from tests.contracts.keys import Wallet, key_of
from tests.contracts.masks import POWERS
from tests.contracts.registry_actions import RegistryActions

POWER_OF = {
    "propose": 4,
    "accept": 4,
    "decline": 4,
    "end": 4,
    "grant": 1,
    "revoke": 2,
    "openEmergency": 16,
    "closeEmergency": 2,
    "forbidEmergency": 2,
    "allowEmergency": 1,
    "append": 8,
}


@pytest.fixture
def wallet(wallet_of: Callable[[LocalAccount], Wallet]) -> Wallet:
    return wallet_of(key_of("owner"))


@pytest.fixture(params=["controller", "delegate"])
def office(request: pytest.FixtureRequest) -> str:
    """As what the wallet acts."""
    answer: str = request.param
    return answer


@pytest.fixture(params=tuple(ACCOUNT_OF))
def function(request: pytest.FixtureRequest) -> str:
    answer: str = request.param
    return answer


@pytest.fixture
def action(
    function: str,
    office: str,
    possible: PossibleActions,
    accounts: RegistryActions,
    wallet: Wallet,
) -> Action:
    """An action that the wallet may take, as the account's controller or a delegate of it."""
    possible.prepare(function)
    account = possible.account(function)
    if office == "controller":
        accounts.rotation(account, wallet.address).relay()
    else:
        accounts.delegation(account, wallet.address, POWER_OF[function]).relay()
    return possible.make(function, by=wallet)


def test_action_works_when_the_wallet_sends_it(action: Action, wallet: Wallet) -> None:
    receipt = action.send()
    assert action.contract.events(receipt)[0].values["by"] == wallet.address


def test_action_works_when_the_owner_of_the_wallet_signed_it(
    action: Action, wallet: Wallet
) -> None:
    receipt = action.relay()
    assert action.contract.events(receipt)[0].values["by"] == wallet.address


def test_action_is_refused_when_another_than_the_owner_signed_it(
    action: Action, wallet: Wallet, stranger: LocalAccount
) -> None:
    with expect_revert("InvalidSignature", by=wallet.address, digest=action.digest()):
        action.relay(action.signature(stranger))


def test_action_is_refused_when_the_owner_sends_it_past_the_wallet(
    action: Action, wallet: Wallet
) -> None:
    with expect_revert("NotSender", by=wallet.address, sender=wallet.owner.address):
        action.send(wallet.owner)


def test_action_is_refused_when_the_key_was_rotated_to_a_wallet(
    function: str, possible: PossibleActions, accounts: RegistryActions, wallet: Wallet
) -> None:
    possible.prepare(function)
    account = possible.account(function)
    old = possible.make(function).signature()
    accounts.rotation(account, wallet.address).relay()
    with expect_revert(
        "NotAuthorised", account=account.address, by=account.address, power=POWER_OF[function]
    ):
        possible.make(function).relay(old)


def test_action_is_refused_when_the_delegate_has_every_power_but_the_one_asked_for(
    function: str, possible: PossibleActions, accounts: RegistryActions
) -> None:
    possible.prepare(function)
    account, carer = possible.account(function), key_of("carer")
    others = sum(POWERS) - POWER_OF[function]
    accounts.delegation(account, carer.address, others).relay()
    with expect_revert(
        "NotAuthorised", account=account.address, by=carer.address, power=POWER_OF[function]
    ):
        possible.make(function, by=carer).relay()
