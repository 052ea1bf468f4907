"""Streams of anchors in Python: each a list that only grows."""

from __future__ import annotations

from collections import defaultdict

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.contracts.deployed import Event
from tests.contracts.masks import ANCHOR
from tests.invariant.model_registry import EMPTY, RegistryModel
from tests.invariant.outcome import Outcome

Entry = tuple[bytes, int]
"""A root and the second of its block."""


def head_of(entries: list[Entry]) -> bytes:
    """The head of a stream, from nothing but its entries."""
    head = EMPTY
    for root, second in entries:
        head = keccak(encode(["bytes32", "bytes32", "uint40"], [head, root, second]))
    return head


class AnchorsModel:
    """Streams by account and topic."""

    def __init__(self, registry: RegistryModel) -> None:
        self.registry = registry
        self.streams: dict[tuple[str, bytes], list[Entry]] = defaultdict(list)

    def append(
        self, now: int, account: str, by: str, topic: bytes, previous: bytes, root: bytes
    ) -> Outcome:
        outcome, entries = Outcome(), self.streams[account, topic]
        head = head_of(entries)
        self.registry.require_authority(outcome, now, account, by, ANCHOR)
        outcome.require(root != EMPTY, "ZeroRoot")
        outcome.require(previous == head, "WrongHead", previous=previous, head=head)

        def effect() -> Event:
            entries.append((root, now))
            values = {"account": account, "topic": topic, "by": by, "previous": previous}
            return Event("Anchored", {**values, "root": root, "head": head_of(entries)})

        outcome.effect = effect
        return outcome
