"""Sending transactions: one sender a key, many transactions in flight, each of them once."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, overload

from medaccord.chain import receipts
from medaccord.chain.delivery import Delivery
from medaccord.chain.fees import MAX_FEE
from medaccord.chain.network import Network
from medaccord.chain.outbox import MemoryOutbox, Outbox
from medaccord.chain.prepared import Call, Prepared
from medaccord.chain.receipts import Receipt
from medaccord.chain.reverts import translated
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import Digest, hex_digest
from medaccord.core.outgoing import Outgoing, checked_purpose
from medaccord.keys.signer import Signer

__all__ = ["Call", "Pending", "Receipt", "Sender"]

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5
"""Seconds between two looks for a receipt."""
_TENDING: Final = 1.0
"""Seconds between two looks after what is under way, while anybody waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A transaction that a node took, mined or not.

    Attributes:
        transaction: its hash as it was sent; it is mined under another where it had to be sent
            again with more for gas, which the receipt tells.
    """

    transaction: Digest
    _sender: Sender
    _sent: Outgoing

    def wait(self) -> Receipt:
        """Wait until it is mined.

        Raises:
            ContractReverted: it was mined, but a contract refused: the state changed after it was
                tried, or its gas ran out.
            TransportError: it was not mined in time, and may be later; or the node is out of reach.
            StoreFailed: the outbox is out of reach.
        """
        return self._sender.wait(self)


class Sender:
    """Sends transactions from one key. Any number of threads may share it.

    Over an outbox in a database, any number of processes may each have one for the same key, and
    what one of them recorded before it died is sent by the next that calls `resume`. Without, make
    one a key.

    Warning: what is sent with the key by other means is noticed only by its nonce.

    Attributes:
        network: where to.
        address: of the key; it pays.
    """

    def __init__(
        self,
        network: Network,
        signer: Signer,
        *,
        timeout: timedelta = timedelta(minutes=2),
        outbox: Outbox | None = None,
        patience: timedelta = timedelta(seconds=30),
        max_fee: int = MAX_FEE,
        max_gas: int | None = None,
    ) -> None:
        """Send from a key. Nothing is sent yet: see `resume`.

        Args:
            network: where to.
            signer: the key.
            timeout: how long to wait for a transaction to be mined.
            outbox: where transactions are recorded before they are sent; in memory unless given.
            patience: how long a transaction may wait at the node, while blocks go by, before it is
                sent again with more for gas.
            max_fee: the most a unit of gas may cost, in wei; included.
            max_gas: the most units of gas that a transaction may take, included; no bound unless
                given. What would take more is refused as if a contract did (`Reverted`).
        """
        self.network = network
        self.address = signer.address
        self._timeout = timeout
        self._outbox = MemoryOutbox() if outbox is None else outbox
        self._delivery = Delivery(
            network, signer, self._outbox, patience=patience, max_fee=max_fee, max_gas=max_gas
        )
        self._turn = threading.Lock()
        self._tending = min(_TENDING, patience.total_seconds() / 4)
        self._tended = 0.0

    @overload
    def send(
        self, call: Call, *, wait: Literal[True] = True, purpose: str | None = None
    ) -> Receipt: ...
    @overload
    def send(self, call: Call, *, wait: Literal[False], purpose: str | None = None) -> Pending: ...
    @overload
    def send(self, call: Call, *, wait: bool, purpose: str | None = None) -> Receipt | Pending: ...

    def send(
        self, call: Call, *, wait: bool = True, purpose: str | None = None
    ) -> Receipt | Pending:
        """Send a transaction. It is tried first, so that one that would fail costs nothing.

        Args:
            call: what to do.
            wait: whether to wait until it is mined.
            purpose: what it is for, 1 to 128 characters, where doing that twice would matter. While
                a transaction of the purpose is under way, until it is final, that one is waited for
                and nothing is sent.

        Raises:
            InvalidInput: the purpose is empty or too long.
            ContractReverted: a contract refuses.
            TransportError: the node is out of reach or does not take it, or it was not mined in
                time. Where the message says that it is recorded, it may be mined later.
            StoreFailed: the outbox is out of reach, or another holds the key for too long.
        """
        sent = self._delivery.start(call, checked_purpose(purpose))
        pending = Pending(transaction=sent.attempts[0].hash, _sender=self, _sent=sent)
        return pending.wait() if wait else pending

    def resume(self) -> int:
        """Look after what is under way, also of earlier processes; call it from time to time.

        What the node forgot is sent to it again, byte for byte; what waits too long, with the same
        nonce and more for gas; what is final is settled.

        Returns:
            How many transactions were sent again.

        Raises:
            TransportError: the node is out of reach: call again later.
            StoreFailed: the outbox is out of reach, or another holds the key for too long.
        """
        return self._delivery.tend()

    def wait(self, pending: Pending) -> Receipt:
        """See `Pending.wait`."""
        started, pause, sent = time.monotonic(), _FIRST_PAUSE, pending._sent
        tended: float | None = None
        while True:
            receipt = receipts.mined(self.network, sent)
            if receipt is not None:
                self._delivery.settle_final(sent)
                return receipts.read(self.network, sent, receipt)
            now = time.monotonic()
            if sent.settled_at is not None:
                raise self._given_up(sent)
            if tended is None or now - tended >= self._tending:
                # At first another may have done it; later on, those who wait take turns.
                if tended is not None:
                    self._tend_in_turn(now)
                sent, tended = self._outbox.find(sent.id) or sent, now
            elif now - started >= self._timeout.total_seconds():
                raise self._late(pending, sent)
            else:
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _tend_in_turn(self, now: float) -> None:
        """Look after everything, one of all who wait at a time."""
        if not self._turn.acquire(blocking=False):
            return
        try:
            if now - self._tended >= self._tending:
                self._tended = now
                self._delivery.tend()
        finally:
            self._turn.release()

    def _late(self, pending: Pending, sent: Outgoing) -> TransportError:
        which = f"transaction {hex_digest(pending.transaction)}"
        if self._delivery.lost_nonce(sent):
            return TransportError(
                f"{which} lost its nonce {sent.nonce} to another transaction of {self.address}; "
                "it is sent anew once that one is final: send with a key from one place only"
            )
        return TransportError(f"{which} was not mined within {self._timeout}; it may be later")

    def _given_up(self, sent: Outgoing) -> TransportError:
        """Why something was settled that was not mined; ContractReverted where that is known."""
        with translated():
            Prepared.parse(sent.document).attempt(self.network.web3, sender=self.address)
        return TransportError(
            f"nonce {sent.nonce} of {self.address} was used by another transaction of the key, and "
            "this one was refused then: send it again"
        )
