"""The state of the contracts at two depths of the chain: at its head, and where it is final."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from medaccord.chain.events import Event
from medaccord.core.blocks import BlockRef
from medaccord.ledger.projection import Projection

__all__ = ["UNDO_BLOCKS", "Depths"]

UNDO_BLOCKS: Final = 128
"""Blocks that can be taken back in memory; more than that, and the state is made anew."""


class Depths:
    """Two projections of one chain, the second some blocks behind.

    Not safe for two threads at once: the follower holds a lock.

    Attributes:
        tip: the block that `newest` is the state at; None before the first.
        newest: the state at the tip.
        final: the state `confirmations` blocks below; the same object where that is 0.
    """

    def __init__(self, confirmations: int) -> None:
        """Begin with nothing.

        Args:
            confirmations: blocks on top of a block before it counts as final.
        """
        self.tip: BlockRef | None = None
        self.newest = Projection()
        self.final = Projection() if confirmations else self.newest
        self._confirmations = confirmations
        self._waiting: deque[Event] = deque()

    def apply(self, found: Iterable[Event], tip: BlockRef) -> None:
        """Take in the next blocks.

        Args:
            found: their events, in the order of the chain.
            tip: the last of them.
        """
        self.tip = tip
        # First, so that what can never be undone is not noted to begin with.
        self._forget_until(tip.number - UNDO_BLOCKS)
        final = tip.number - self._confirmations
        while self._waiting and self._waiting[0].block.number <= final:
            self.final.apply(self._waiting.popleft())
        for event in found:
            self.newest.apply(event)
            if self.final is self.newest:
                continue
            if event.block.number <= final:
                self.final.apply(event)
            else:
                self._waiting.append(event)

    def undo_after(self, ancestor: BlockRef | None) -> None:
        """Take back every block above one; all of them where there is none.

        Raises:
            LookupError: they lie too far back. Make the state anew: this one is not to be used.
        """
        number = -1 if ancestor is None else ancestor.number
        self.newest.undo_after(number)
        if self.final is not self.newest:
            self.final.undo_after(number)
        while self._waiting and self._waiting[-1].block.number > number:
            self._waiting.pop()
        self.tip = ancestor

    def _forget_until(self, number: int) -> None:
        self.newest.forget_until(number)
        if self.final is not self.newest:
            self.final.forget_until(number)
