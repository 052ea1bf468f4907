"""Places to wait for a block: each takes a thread, and all routes share the same few threads.

A transaction may wait for minutes where the chain stalls. So only some of those threads ever wait
for one, whoever asks; nobody queues for a place, since that would take a thread as well.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from medaccord.chain.sender import Pending, Receipt
from medaccord.core.identifiers import Address

MAX_WAITS: Final = 16
"""Requests of one process that wait for a block at a time, inclusive: of 40 threads for all."""

MAX_WAITS_AN_ACCOUNT: Final = 4
"""How many of them may be about one account, inclusive."""


class BlockWaits:
    """The places of one process. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: Counter[Address] = Counter()

    def receipt(self, account: Address, pending: Pending) -> Receipt | None:
        """Wait until a transaction is mined, if there is a place to.

        Args:
            account: which it is about.
            pending: the transaction.

        Returns:
            Its receipt; None, at once, where `MAX_WAITS` wait already, or `MAX_WAITS_AN_ACCOUNT`
            for this account. It is on its way all the same.

        Raises:
            ContractReverted: as `Pending.wait`.
            TransportError: as `Pending.wait`.
            StoreFailed: as `Pending.wait`.
        """
        with self._place(account) as is_free:
            return pending.wait() if is_free else None

    @contextmanager
    def _place(self, account: Address) -> Iterator[bool]:
        """Hold a place in the block; False where there is none."""
        with self._lock:
            is_free = (
                self._waiting.total() < MAX_WAITS and self._waiting[account] < MAX_WAITS_AN_ACCOUNT
            )
            if is_free:
                self._waiting[account] += 1
        try:
            yield is_free
        finally:
            if is_free:
                with self._lock:
                    self._waiting[account] -= 1
                    self._waiting += Counter()  # accounts without one take no room
