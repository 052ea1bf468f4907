"""How often an account may ask for what costs work and leaves no trace: by its bucket of tokens.

A bucket is of one process and one account. It bounds what a runaway program can take from others,
and how fast somebody can try the names of records; it guards no secret by itself.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from medaccord.core.identifiers import Address
from medaccord.gatekeeper.errors import TooManyRequests

_REMEMBERED: Final = 10_000
"""Accounts whose buckets are kept; whoever asked longest ago begins with a full one again."""


class Allowance:
    """Buckets that fill at a pace, one an account. Any number of threads may share them."""

    def __init__(
        self,
        *,
        per_second: float,
        at_once: float,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with every bucket full.

        Args:
            per_second: units that come to a bucket each second.
            at_once: units that it holds.
            stopwatch: seconds that never go back.
        """
        self._per_second = per_second
        self._at_once = at_once
        self._stopwatch = stopwatch
        self._lock = threading.Lock()
        self._buckets: OrderedDict[Address, tuple[float, float]] = OrderedDict()

    def take(self, account: Address, units: float) -> None:
        """Take from an account's bucket.

        Raises:
            TooManyRequests: it does not hold so much now; nothing is taken.
        """
        now = self._stopwatch()
        with self._lock:
            held, since = self._buckets.pop(account, (self._at_once, now))
            held = min(self._at_once, held + (now - since) * self._per_second)
            missing = units - held
            self._buckets[account] = (held if missing > 0 else held - units, now)
            while len(self._buckets) > _REMEMBERED:
                self._buckets.popitem(last=False)
        if missing > 0:
            raise TooManyRequests(
                "you ask too often: wait, or ask for several things at once",
                retry_after=int(missing / self._per_second) + 1,
            )
