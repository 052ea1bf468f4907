"""Appending to a stream of commitments; see IAnchors."""

from medaccord.chain.actions.action import Action, act
from medaccord.chain.deployment import Contracts
from medaccord.core.identifiers import Address, Digest


def append(
    contracts: Contracts,
    *,
    account: Address,
    topic: Digest,
    root: Digest,
    by: Address | None = None,
    previous: Digest | None = None,
) -> Action:
    """Append a root to a stream.

    Args:
        contracts: where.
        account: whose stream.
        topic: which of the account's streams.
        root: what is committed to, not zero.
        by: the key that acts; the account itself unless given.
        previous: the head it goes upon; read from the chain unless given.
    """
    if previous is None:
        previous = contracts.call("Anchors", "headOf", account, topic)
    return act(contracts, "append", by, account=account, topic=topic, previous=previous, root=root)
