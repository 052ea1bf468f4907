"""Bringing the recorded transactions of one key to the chain, each of them once.

A transaction is signed and recorded before a node hears of it, while its key is held alone. So its
nonce is its own, whatever happens: whoever finds the record later sends the very same bytes, or the
same nonce with more for gas, and the chain takes one of them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from eth_utils.crypto import keccak
from web3.exceptions import ContractLogicError

from medaccord.chain import receipts
from medaccord.chain.fees import FeeMarket, Fees
from medaccord.chain.network import Network
from medaccord.chain.outbox import Outbox
from medaccord.chain.pool import Answer, Verdict, offer
from medaccord.chain.prepared import Call, Prepared
from medaccord.chain.reverts import Reverted, translate, translated
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import digest, hex_digest
from medaccord.core.outgoing import Attempt, Outgoing, SendingKey
from medaccord.keys.signer import Signer

_NONCES_TRIED: Final = 5
"""How often a nonce is chosen anew because somebody else with the key was faster."""
_RAISES: Final = 5
"""How often an offer is raised at once where the node says that it is too low."""
_MOST_UNTENDED: Final = 256
"""How many are sent before somebody looks after them, if nobody asks for it."""

_log = logging.getLogger(__name__)


class Delivery:
    """Numbers, signs, records and hands over; everything that must be done by one at a time."""

    def __init__(
        self,
        network: Network,
        signer: Signer,
        outbox: Outbox,
        *,
        patience: timedelta,
        max_fee: int,
        max_gas: int | None,
    ) -> None:
        self._network = network
        self._signer = signer
        self._outbox = outbox
        self._patience = patience
        self._max_fee = max_fee
        self._max_gas = max_gas
        self._untended = 0
        self._missed: dict[tuple[int, int], datetime] = {}

    @cached_property
    def key(self) -> SendingKey:
        """The key on this chain. Raises TransportError."""
        return SendingKey(genesis_hash=self._network.genesis_hash, address=self._signer.address)

    def start(self, call: Call, purpose: str | None) -> Outgoing:
        """Try a call, record its transaction and hand it to the node.

        Returns:
            What was recorded; or what is under way for that purpose already.

        Raises:
            ContractReverted: a contract refuses; nothing is recorded.
            TransportError: the node refuses it, and nothing is recorded; or the node is out of
                reach, and it is recorded and goes to the node with the next.
        """
        with translated():
            fees = self._market(self._head()).offer(cap=self._max_fee)
            # Without a purpose nobody else's call can be the same: tried while others are sent.
            prepared = self._prepare(call) if purpose is None else None
        with self._outbox.exclusive(self.key):
            if prepared is None:
                if purpose is not None and (found := self._under_way(purpose)):
                    return found
                # Alone, so that what another sent for the purpose is in the state it is tried on.
                with translated():
                    prepared = self._prepare(call)
            return self._send(prepared, purpose, fees)

    def tend(self) -> int:
        """Look after what is under way.

        What is final is settled. What the node forgot goes to it again, byte for byte. What it has
        but does not get mined goes again with the same nonce and more for gas. What lost its nonce
        for good to another transaction of the key, and is missed for as long as the patience is,
        gets a fresh one.

        Returns:
            How many transactions went to the node.

        Raises:
            TransportError: the node does not answer.
        """
        if self._outbox.highest_nonce(self.key) is None:
            return 0
        with self._outbox.exclusive(self.key), translated():
            return self._tend(self._outbox.unsettled(self.key))

    def settle_final(self, sent: Outgoing) -> None:
        """Settle what was mined, where blocks are final at once."""
        if not self._network.confirmations:
            self._outbox.settle(sent.id, at=self._network.clock())

    def lost_nonce(self, sent: Outgoing) -> bool:
        """Whether the nonce of what was not mined is used up. Raises TransportError."""
        with translated():
            return self._count("latest") > sent.nonce

    def _prepare(self, call: Call) -> Prepared:
        prepared = Prepared.of(call, sender=self.key.address, chain_id=self._network.chain_id)
        if self._max_gas is not None and prepared.gas > self._max_gas:
            raise Reverted(
                f"this would take {prepared.gas} units of gas, of which at most {self._max_gas} "
                "are paid for here: send it yourself"
            )
        return prepared

    def _under_way(self, purpose: str) -> Outgoing | None:
        if self._outbox.under_way(self.key, purpose) is None:
            return None
        with translated():  # it may have been mined for good without anybody looking
            self._tend(self._outbox.unsettled(self.key))
        return self._outbox.under_way(self.key, purpose)

    def _send(self, prepared: Prepared, purpose: str | None, fees: Fees) -> Outgoing:
        for _ in range(_NONCES_TRIED):
            with translated():
                nonce = self._next_nonce()
            sent = self._outbox.record(
                self.key,
                nonce=nonce,
                purpose=purpose,
                document=prepared.to_document(),
                attempt=self._sign(prepared, nonce, fees),
            )
            answer = self._push_first(sent)
            if answer.verdict is Verdict.TAKEN:
                return sent
            # No node took it, and the key is still held: its nonce is free again.
            self._outbox.withdraw(sent.id)
            if answer.verdict not in (Verdict.NONCE_USED, Verdict.OCCUPIED):
                break
        raise TransportError(f"the node did not do what was asked: {answer.words}")

    def _next_nonce(self) -> int:
        known, highest = self._count("pending"), self._outbox.highest_nonce(self.key)
        self._untended += 1
        if highest is None:
            return known
        # Either the node forgot something, and nothing after it can be mined; or much was sent that
        # nobody waited for.
        if highest >= known or self._untended >= _MOST_UNTENDED:
            self._tend(self._outbox.unsettled(self.key))
            highest = self._outbox.highest_nonce(self.key)
        return known if highest is None else max(known, highest + 1)

    def _tend(self, rows: Sequence[Outgoing]) -> int:
        self._untended = 0
        if not rows:
            return 0
        head = self._head()
        final_block = head["number"] - self._network.confirmations
        mined = self._count("latest")
        final = mined
        if self._network.confirmations:
            final = self._count(final_block) if final_block >= 0 else 0
        known, market, went = self._count("pending"), self._market(head), 0
        if (
            known < rows[0].nonce
        ):  # a gap before all of them: nothing can be mined until it is closed
            rows = (*self._reopened(range(known, rows[0].nonce)), *rows)
        for row in rows:
            if row.nonce < final:
                went += self._finish(row)
            elif row.nonce < mined:
                continue  # mined, but not final
            elif row.nonce >= known:
                went += self._push_again(row)
            elif self._is_late(row, head) and (row.nonce == mined or not market.takes(_fees(row))):
                # The first holds up the others, which need no more unless the market went up.
                raised = self._raised(row, market)
                went += 0 if raised is None else self._push_again(raised)
        return went

    def _reopened(self, nonces: range) -> Sequence[Outgoing]:
        """What was settled, but whose block the chain has taken back."""
        found = (self._outbox.reopen(self.key, nonce) for nonce in nonces)
        return tuple(filter(None, found))

    def _finish(self, row: Outgoing) -> bool:
        """Settle what is final, or send it anew where another's transaction is."""
        if receipts.mined(self._network, row) is None:
            now = self._network.clock()
            # One answer is not believed: behind one name several nodes may answer, some late.
            if now - self._missed.setdefault((row.id, row.nonce), now) < self._patience:
                return False
            prepared = Prepared.parse(row.document)
            try:
                prepared.attempt(self._network.web3, sender=self.key.address)
            except ContractLogicError as error:
                refused = type(translate(error)).__name__  # its words name accounts
                _log.warning("nonce %d was used by another, and now: %s", row.nonce, refused)
            else:
                return self._send_anew(row, prepared)
        self._missed.pop((row.id, row.nonce), None)
        self._outbox.settle(row.id, at=self._network.clock())
        return False

    def _send_anew(self, row: Outgoing, prepared: Prepared) -> bool:
        highest = self._outbox.highest_nonce(self.key)
        nonce = max(self._count("pending"), row.nonce + 1 if highest is None else highest + 1)
        fees = self._market(self._head()).offer(cap=self._max_fee)
        _log.warning("nonce %d was used by another: sent anew as %d", row.nonce, nonce)
        attempt = self._sign(prepared, nonce, fees)
        self._missed.pop((row.id, row.nonce), None)
        return self._push_again(self._outbox.renumber(row.id, nonce=nonce, attempt=attempt))

    def _is_late(self, row: Outgoing, head: Any) -> bool:
        """Whether it waits too long, on a chain that goes on: one that stands still is not paid."""
        sent_at = row.attempts[-1].sent_at
        return (
            self._network.clock() - sent_at >= self._patience
            and datetime.fromtimestamp(head["timestamp"], UTC) > sent_at
        )

    def _push_first(self, sent: Outgoing) -> Answer:
        try:
            with translated():
                return self._push(sent)
        except TransportError as error:
            raise TransportError(
                f"{error}; transaction {hex_digest(sent.attempts[0].hash)} is recorded "
                "and will be sent again, unless the node has it already"
            ) from error

    def _push_again(self, row: Outgoing) -> bool:
        answer = self._push(row, over=True)
        if answer.verdict in (Verdict.UNDERPRICED, Verdict.OCCUPIED, Verdict.REFUSED):
            _log.warning(
                "transaction %s, nonce %d, is not taken: %s",
                hex_digest(row.attempts[-1].hash),
                row.nonce,
                answer.words,
            )
        return True

    def _push(self, row: Outgoing, *, over: bool = False) -> Answer:
        """Hand over the newest attempt, and dearer ones as far as the node wants more.

        Args:
            row: what to hand over.
            over: whether it may take the place of another with its nonce.
        """
        raising = {Verdict.UNDERPRICED} | ({Verdict.OCCUPIED} if over else set())
        answer = offer(self._network.web3, row.attempts[-1])
        for _ in range(_RAISES):
            if answer.verdict not in raising:
                break
            raised = self._raised(row, self._market(self._head()).above(_fees(row)))
            if raised is None:
                capped = f"{answer.words}, and more than {self._max_fee} wei is not to be paid"
                return Answer(verdict=answer.verdict, words=capped)
            row = raised
            answer = offer(self._network.web3, row.attempts[-1])
        return answer

    def _raised(self, row: Outgoing, market: FeeMarket) -> Outgoing | None:
        """Record an attempt that offers more; None where that is above the cap."""
        fees = _fees(row).raised(market.offer(cap=self._max_fee), cap=self._max_fee)
        if fees is None:
            return None
        attempt = self._sign(Prepared.parse(row.document), row.nonce, fees)
        return self._outbox.add_attempt(row.id, attempt)

    def _sign(self, prepared: Prepared, nonce: int, fees: Fees) -> Attempt:
        raw = self._signer.sign_transaction(prepared.transaction(nonce=nonce, fees=fees))
        return Attempt(
            hash=digest(keccak(raw)),
            raw=raw,
            max_fee=fees.max_fee,
            max_priority_fee=fees.max_priority_fee,
            sent_at=self._network.clock(),
        )

    def _count(self, block: Any) -> int:
        return self._network.web3.eth.get_transaction_count(self.key.address, block)

    def _head(self) -> Any:
        return self._network.web3.eth.get_block("latest")

    def _market(self, head: Any) -> FeeMarket:
        return FeeMarket.of(self._network.web3, head)


def _fees(row: Outgoing) -> Fees:
    last = row.attempts[-1]
    return Fees(max_fee=last.max_fee, max_priority_fee=last.max_priority_fee)
