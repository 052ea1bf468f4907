"""How long to wait before somebody who failed is tried again."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Twice as long after each failure in a row, with chance, up to a longest time.

    Chance spreads out those who failed together, so that they do not come back together.

    Attributes:
        first: wait after the first failure, at most; at least half of it.
        longest: no wait is longer.
        tries: after so many failures in a row it is given up.
    """

    first: timedelta
    longest: timedelta
    tries: int

    def after(
        self, failures: int, *, chance: Callable[[], float] = random.random
    ) -> timedelta | None:
        """How long to wait; None where it is given up.

        Args:
            failures: in a row, 1 or more.
            chance: draws a number from 0 to 1.
        """
        if failures >= self.tries:
            return None
        whole = self.longest
        if failures <= 64:  # 2**64 times anything is longer than longest
            whole = min(self.longest, self.first * 2 ** (failures - 1))
        return whole * (0.5 + chance() / 2)
