"""How much of a steward's gas one account may spend in a day.

An action counts once, however often it is handed in, and only while it is sent or was: what the
chain would refuse costs nothing and counts for nothing. So nobody can use up another's limit.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select

from medaccord.core.identifiers import Address
from medaccord.gatekeeper.errors import TooManyRequests
from medaccord.gatekeeper.foundation import Foundation
from medaccord.store import writing
from medaccord.store.tables import relayed_action

MAX_ACTIONS: Final = 60
"""Actions of one account that are sent within `SPAN`, inclusive: at 74,000 gas, 4.4 million."""

SPAN: Final = timedelta(days=1)
"""The time they are counted in, up to now; its beginning is excluded."""


class RelayLimits:
    """Counts what is sent for an account."""

    def __init__(self, base: Foundation) -> None:
        self._engine = base.engine
        self._clock = base.clock

    @contextmanager
    def spending(self, account: Address, purpose: str) -> Iterator[None]:
        """Send something in the block; it counts unless the block raises.

        Args:
            account: whose action it is.
            purpose: names the action, the same however often it is handed in.

        Raises:
            TooManyRequests: `MAX_ACTIONS` were sent for the account within `SPAN`.
        """
        what = hashlib.sha256(purpose.encode()).digest()
        is_new = self._count(account, what)
        try:
            yield
        except BaseException:
            if is_new:
                with writing(self._engine) as connection:
                    connection.execute(delete(relayed_action).where(relayed_action.c.what == what))
            raise

    def _count(self, account: Address, what: bytes) -> bool:
        """Count an action; False where it counts already."""
        now = self._clock()
        with writing(self._engine) as connection:
            connection.execute(delete(relayed_action).where(relayed_action.c.at <= now - SPAN))
            known = select(relayed_action.c.what).where(relayed_action.c.what == what)
            if connection.execute(known).first() is not None:
                return False
            sent = select(func.count(), func.min(relayed_action.c.at)).where(
                relayed_action.c.account == account
            )
            number, first = connection.execute(sent).one()
            if number >= MAX_ACTIONS:
                wait = math.ceil((first + SPAN - now).total_seconds())
                raise TooManyRequests(
                    f"{MAX_ACTIONS} actions of {account} were sent within a day: send this one "
                    "yourself, or hand it in again later",
                    retry_after=wait,
                )
            connection.execute(insert(relayed_action).values(what=what, account=account, at=now))
            return True
