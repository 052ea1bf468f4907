"""Who acts in tests: keys of their own, and ERC-1271 wallets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from eth_account import Account
from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tests.contracts.deployed import Deployed
from tests.contracts.evm import Receipt


class Key(Protocol):
    """Whatever has an address and can sign: a `LocalAccount` or a `Wallet`."""

    @property
    def address(self) -> Any: ...

    def sign_message(self, signable_message: SignableMessage) -> Any: ...


@dataclass(frozen=True, slots=True)
class Wallet:
    """A contract that signs and calls what its owner wants."""

    contract: Deployed
    owner: LocalAccount

    @property
    def address(self) -> str:
        return self.contract.address

    def sign_message(self, signable_message: SignableMessage) -> Any:
        return self.owner.sign_message(signable_message)

    def send(self, target: str, data: bytes, *, at: int | None = None) -> Receipt:
        return self.contract.send(self.owner, "call", target, data, at=at)


def key_of(name: str) -> LocalAccount:
    """The key of an actor: the same in every run."""
    account: LocalAccount = Account.from_key(keccak(text=f"medaccord test actor: {name}"))
    return account


def sorted_keys(*names: str) -> list[LocalAccount]:
    """Keys of several actors, in ascending order of their addresses."""
    return sorted((key_of(name) for name in names), key=lambda key: int(key.address, 16))
