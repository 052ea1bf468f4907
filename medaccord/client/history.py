"""What the chain itself tells about an account: read in ranges of blocks, as far as is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from medaccord.chain import events
from medaccord.chain.deployment import Contracts
from medaccord.core.identifiers import Address

_Kind = TypeVar("_Kind", bound=events.Event)


def events_about(
    contracts: Contracts,
    account: Address | None,
    kind: type[_Kind],
    *,
    organisation: Address | None = None,
    newest_first: bool = False,
) -> Iterator[_Kind]:
    """Events of one kind, in the order of the chain; a range of blocks is read when it is wanted.

    Args:
        contracts: Whose events.
        account: Only those about this account, a patient's as a rule; all of them where it is None.
        kind: Which.
        organisation: Only those with this steward or grantee; all of them unless given.
        newest_first: Whether to begin at the head.

    Raises:
        TransportError: The node does not answer, or badly; also while they are iterated.
    """
    network = contracts.network
    begin, head = contracts.deployment.first_block, network.head().number
    ranges = [
        (first, min(first + events.MAX_RANGE - 1, head))
        for first in range(begin, head + 1, events.MAX_RANGE)
    ]
    for first, last in reversed(ranges) if newest_first else ranges:
        found = events.fetch(
            network, contracts, first, last, kind=kind, about=account, organisation=organisation
        )
        wanted = [event for event in found if isinstance(event, kind)]
        yield from reversed(wanted) if newest_first else wanted
