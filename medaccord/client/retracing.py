"""Finding the keys of a phrase in all that the chain tells, without asking for any of them.

Whole ranges of blocks are read and looked through here. So a node learns that somebody reads the
chain, and not which accounts are theirs. A node that leaves logs out is not found out: where
something is missing, ask another one.

Source: BIP-44, "Account discovery" and "Address gap limit".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from medaccord.chain import events
from medaccord.chain.deployment import Contracts
from medaccord.chain.events import Event
from medaccord.core.blocks import BlockRef
from medaccord.core.identifiers import Address
from medaccord.keys.seed import GAP_LIMIT, Seed

FIRST_WINDOW: Final = 5 * GAP_LIMIT
"""Indices looked for at first: with fewer accounts than that, the chain is read once."""

_ACCOUNTS: Final = ("patient", "account")
_KEYS: Final = ("delegate", "new_controller")
_HANDED_OVER: Final = (
    events.ControllerRotated,
    events.RecoveryStarted,
    events.RecoveryCompleted,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What a chain shows of one phrase.

    Attributes:
        head: the last block that was read.
        accounts: the phrase's accounts by address, each with the index of its keys, in ascending
            order: derived ones, and others that were handed to a derived key.
        events: everything about those accounts, in the order of the chain.
        delegated: accounts of others that one of the phrase's keys may act for.
        next_index: the lowest index at which nothing was found, nor beyond.
        active: organisations that are admitted and not suspended.
    """

    head: BlockRef
    accounts: Mapping[Address, int]
    events: tuple[Event, ...]
    delegated: tuple[Address, ...]
    next_index: int
    active: frozenset[Address]


def retrace(seed: Seed, contracts: Contracts) -> Traces:
    """Read everything the contracts ever reported, and keep what is about a phrase.

    It is read again where more is found than was looked for: more accounts than `FIRST_WINDOW`, or
    accounts that are not derived.

    Args:
        seed: the phrase.
        contracts: whose events.

    Raises:
        TransportError: the node does not answer, or badly; or its chain changed meanwhile.
    """
    head = contracts.network.head()
    window = _Window(seed)
    window.extend(FIRST_WINDOW)
    while True:
        reading = _Reading(window)
        for event in _everything(contracts, head):
            reading.take(event)
        if not window.widened_by(reading):
            return reading.traces(head)


def _everything(contracts: Contracts, head: BlockRef) -> Iterator[Event]:
    """Every event, in the order of the chain; one range of blocks is held at a time."""
    for first in range(contracts.deployment.first_block, head.number + 1, events.MAX_RANGE):
        last = min(first + events.MAX_RANGE - 1, head.number)
        yield from events.fetch(contracts.network, contracts, first, last)


class _Window:
    """What is looked for: keys of the first indices, and accounts that were handed to them."""

    def __init__(self, seed: Seed) -> None:
        self._seed = seed
        self._size = 0
        self.derived: dict[Address, int] = {}
        self.keys: dict[Address, int] = {}
        self.handed: dict[Address, int] = {}

    def extend(self, size: int) -> None:
        """Look for the keys below an index.

        The account itself, and the first key it is rotated to: an account of another wallet is
        handed to that one, and one that is recovered to the former. Later ones follow from these.
        """
        for index in range(self._size, size):
            account = self._seed.account(index).address
            self.derived[account] = index
            self.keys[account] = index
            self.keys[self._seed.controller(index, 1).address] = index
        self._size = size

    def widened_by(self, reading: _Reading) -> bool:
        """Look for more where a reading found more; say whether there is more."""
        handed, needed = reading.handed_over(), reading.next_index + GAP_LIMIT
        if handed == self.handed and needed <= self._size:
            return False
        self.handed = handed
        if needed > self._size:
            self.extend(needed + FIRST_WINDOW)
        return True


class _Reading:
    """One reading of the chain.

    Anybody may name anybody's key, and hand it an account. But nobody knows a key before its owner
    uses it: so the first account that the chain shows with an index is the one that has it.
    """

    def __init__(self, window: _Window) -> None:
        self._window = window
        self._events: list[Event] = []
        self._standing: dict[int, Address] = {}
        self._active: set[Address] = set()
        self.next_index = 0

    def take(self, event: Event) -> None:
        """Look at the next event."""
        match event:
            case events.OrganisationAdmitted() | events.OrganisationReinstated():
                self._active.add(event.account)
            case events.OrganisationSuspended():
                self._active.discard(event.account)
        window = self._window
        accounts, keys = _named(event, _ACCOUNTS), _named(event, _KEYS)
        found = [window.keys[each] for each in (*accounts, *keys) if each in window.keys]
        if not found and window.handed.keys().isdisjoint(accounts):
            return
        self._events.append(event)
        self.next_index = max(self.next_index, *(index + 1 for index in found), 0)
        for account in accounts:
            if account in window.derived:
                self._standing.setdefault(window.derived[account], account)
        if isinstance(event, _HANDED_OVER) and event.new_controller in window.keys:
            self._standing.setdefault(window.keys[event.new_controller], event.account)

    def handed_over(self) -> dict[Address, int]:
        """Accounts that were handed to a key of the phrase, and are not derived, with its index."""
        return {
            account: index
            for index, account in self._standing.items()
            if account not in self._window.derived
        }

    def traces(self, head: BlockRef) -> Traces:
        """What was found."""
        accounts = {account: index for index, account in sorted(self._standing.items())}
        return Traces(
            head=head,
            accounts=accounts,
            events=tuple(
                event
                for event in self._events
                if not accounts.keys().isdisjoint(_named(event, _ACCOUNTS))
            ),
            delegated=self._delegated(),
            next_index=self.next_index,
            active=frozenset(self._active),
        )

    def _delegated(self) -> tuple[Address, ...]:
        """Of keys that have no account of their own, what they may do for others."""
        stands: dict[tuple[Address, Address], bool] = {}
        for event in self._events:
            if isinstance(event, events.DelegateSet | events.DelegateRemoved):
                index = self._window.keys.get(event.delegate)
                if index is not None and index not in self._standing:
                    stands[event.account, event.delegate] = isinstance(event, events.DelegateSet)
        return tuple(dict.fromkeys(account for (account, _), yes in stands.items() if yes))


def _named(event: Event, fields: tuple[str, ...]) -> tuple[Address, ...]:
    return tuple(getattr(event, each) for each in fields if hasattr(event, each))
