"""Who may act for an account, and what an organisation publishes; see IRegistry."""

from datetime import datetime
from enum import IntEnum

from medaccord.chain.actions.action import Action, act
from medaccord.chain.actions.defaults import deadline_or, epoch_or, nonce_or
from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Power
from medaccord.core.identifiers import Address, Digest


class NonceKey(IntEnum):
    """Keys of the Registry's nonces. Source: contracts/libraries/NonceKeys.sol."""

    ROTATE = 1
    GUARDIANS = 2
    RECOVERY = 3
    PUBLISH = 4


def rotate(
    contracts: Contracts,
    *,
    account: Address,
    new_controller: Address,
    by: Address | None = None,
    nonce: int | None = None,
    deadline: datetime | None = None,
) -> Action:
    """Hand an account to another key.

    Args:
        contracts: where.
        account: which account.
        new_controller: the key or contract wallet that acts for it from then on.
        by: its controller; the account itself unless given.
        nonce: the next one; read from the chain unless given.
        deadline: last second to hand it in; in an hour unless given.
    """
    return act(
        contracts,
        "rotate",
        by,
        account=account,
        newController=new_controller,
        nonce=nonce_or(contracts, "Registry", account, NonceKey.ROTATE, nonce),
        deadline=deadline_or(contracts, deadline),
    )


def revoke_all(
    contracts: Contracts,
    *,
    account: Address,
    by: Address | None = None,
    epoch: int | None = None,
) -> Action:
    """End every consent and delegation of an account, also those signed and not yet sent.

    Args:
        contracts: where.
        account: which account.
        by: the key that acts; the account itself unless given.
        epoch: the account's; read from the chain unless given.
    """
    epoch = epoch_or(contracts, account, epoch)
    return act(contracts, "revokeAll", by, account=account, epoch=epoch)


def delegate(
    contracts: Contracts,
    *,
    account: Address,
    delegate: Address,
    powers: Power,
    until: datetime,
    by: Address | None = None,
    epoch: int | None = None,
    serial: int | None = None,
    deadline: datetime | None = None,
) -> Action:
    """Give a key powers of an account until a date.

    Args:
        contracts: where.
        account: whose powers.
        delegate: the key that gets them.
        powers: which; they replace those it had.
        until: the end, exclusive; `values.FOREVER` for none.
        by: the account's controller; the account itself unless given.
        epoch: the account's; read from the chain unless given.
        serial: above the last one of the pair; the next one of the chain unless given.
        deadline: last second to hand it in; in an hour unless given.
    """
    return act(
        contracts,
        "delegate",
        by,
        account=account,
        delegate=delegate,
        powers=int(powers),
        until=until,
        epoch=epoch_or(contracts, account, epoch),
        serial=_next_serial(contracts, account, delegate) if serial is None else serial,
        deadline=deadline_or(contracts, deadline),
    )


def undelegate(
    contracts: Contracts,
    *,
    account: Address,
    delegate: Address,
    by: Address | None = None,
    serial: int | None = None,
) -> Action:
    """Take a key's powers away, and kill delegations that were signed and not yet sent.

    Args:
        contracts: where.
        account: whose powers.
        delegate: the key that loses them.
        by: the account's controller; the account itself unless given.
        serial: delegations up to it are dead; the next one of the chain unless given.
    """
    if serial is None:
        serial = _next_serial(contracts, account, delegate)
    return act(contracts, "undelegate", by, account=account, delegate=delegate, serial=serial)


def publish(
    contracts: Contracts,
    *,
    account: Address,
    key: Digest,
    profile: Digest,
    by: Address | None = None,
    nonce: int | None = None,
    deadline: datetime | None = None,
) -> Action:
    """Publish an organisation's key and profile; signed, it is also its consent to be admitted.

    Args:
        contracts: where.
        account: the organisation.
        key: its X25519 public key, not zero.
        profile: hash of its public profile.
        by: its controller; the account itself unless given.
        nonce: the next one; read from the chain unless given.
        deadline: last second to hand it in; in an hour unless given. To be admitted: that of the
            motion.
    """
    return act(
        contracts,
        "publish",
        by,
        account=account,
        key=key,
        profile=profile,
        nonce=nonce_or(contracts, "Registry", account, NonceKey.PUBLISH, nonce),
        deadline=deadline_or(contracts, deadline),
    )


def _next_serial(contracts: Contracts, account: Address, delegate: Address) -> int:
    *_, serial = contracts.call("Registry", "delegationOf", account, delegate)
    return int(serial) + 1
