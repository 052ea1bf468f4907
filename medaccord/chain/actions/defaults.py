"""What an action says of its time and place in order, where its maker leaves it open."""

from datetime import datetime, timedelta
from typing import Final

from medaccord.chain.deployment import Contracts
from medaccord.core.identifiers import Address

LIFETIME: Final = timedelta(hours=1)
"""How long a signed action can be handed in, where it has a deadline and its maker names none."""

_SEQUENCE: Final = 2**64 - 1


def deadline_or(contracts: Contracts, given: datetime | None) -> datetime:
    """The deadline given, else `LIFETIME` from now on the network's clock."""
    return contracts.network.clock() + LIFETIME if given is None else given


def epoch_or(contracts: Contracts, account: Address, given: int | None) -> int:
    """The epoch given, else the account's on the chain."""
    return int(contracts.call("Registry", "epochOf", account)) if given is None else given


def nonce_or(contracts: Contracts, name: str, owner: Address, key: int, given: int | None) -> int:
    """The nonce given, else the next one of an owner under a key.

    Contracts keep the key in the upper 192 bits of a nonce; what is signed is the sequence below.
    Source: OpenZeppelin NoncesKeyed.
    """
    if given is not None:
        return given
    return int(contracts.call(name, "nonces", owner, key)) & _SEQUENCE
