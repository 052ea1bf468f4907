"""What came of something that changes the chain: one kind of receipt, whoever sent it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from typing import Any, Final, Protocol, TypeVar

from medaccord.chain import events, receipts
from medaccord.chain.deployment import Contracts
from medaccord.chain.events import Event
from medaccord.chain.sender import Pending, Receipt
from medaccord.client.effects import Effect
from medaccord.core.blocks import BlockRef
from medaccord.core.documents import MAX_INTEGER
from medaccord.core.errors import InvalidRequest, TransportError
from medaccord.core.identifiers import Digest, hex_digest

_Kind = TypeVar("_Kind", bound=Event)

PATIENCE: Final = timedelta(minutes=2)
"""How long `ActionReceipt.wait` waits for a block."""

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
"""Seconds between two looks at the chain."""


class Outcome(Protocol):
    """Knows how something that was sent ends."""

    def wait(self) -> Receipt:
        """Wait until it is mined; errors as `ActionReceipt.wait`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionReceipt:
    """What came of an action.

    Attributes:
        id: Digest of what was signed: the id of a consent or an emergency; of a motion that was
            carried out, the motion's.
        transaction: Hash of the transaction; None where a gatekeeper obeys the action but could
            not send it yet.
        block: The block it stands in; None while it is not mined. Not final yet where the network
            needs confirmations.
        gas_used: Gas that whoever sent it paid for; None while it is not mined.
        events: What our contracts reported, in order, as classes of `medaccord.chain.events`;
            nothing while it is not mined.
        obeyed: Whether the gatekeeper that was asked to send it acts on it from now on, mined or
            not; False where no gatekeeper was.
    """

    id: Digest
    transaction: Digest | None
    block: BlockRef | None = None
    gas_used: int | None = None
    events: tuple[Event, ...] = ()
    obeyed: bool = False
    _outcome: Outcome = field(repr=False, compare=False)

    @property
    def is_mined(self) -> bool:
        """Whether it stands in a block."""
        return self.block is not None

    def wait(self) -> ActionReceipt:
        """Wait until it is mined; at once where it is already.

        Raises:
            ContractReverted: It was mined, but a contract refused; of the class of its error.
            TransportError: It was not mined in time, and may be later; or the node does not answer.
        """
        if self.is_mined:
            return self
        return self.mined(self._outcome.wait())

    def event(self, kind: type[_Kind]) -> _Kind:
        """What was reported of one kind, the first if there are several.

        Args:
            kind: One of `medaccord.chain.events`, such as ``events.ConsentGranted``.

        Raises:
            InvalidRequest: It reported none, or is not mined yet.
        """
        for event in self.events:
            if isinstance(event, kind):
                return event
        raise InvalidRequest(f"no {kind.__name__} was reported: wait for the receipt first")

    def document(self) -> dict[str, Any]:
        """It as JSON has it; of events their names and what each says."""
        return {
            "id": hex_digest(self.id),
            "transaction": self.transaction and hex_digest(self.transaction),
            "block": self.block and self.block.number,
            "gasUsed": self.gas_used,
            "obeyed": self.obeyed,
            "events": [_told(event) for event in self.events],
        }

    def mined(self, receipt: Receipt) -> ActionReceipt:
        """The same, once it stands in a block."""
        return replace(
            self,
            transaction=receipt.transaction,
            block=receipt.block,
            gas_used=receipt.gas_used,
            events=receipt.events,
        )


def _told(event: Event) -> dict[str, Any]:
    """An event in JSON; integers that JSON cannot say exactly are text."""
    common = {each.name for each in fields(Event)}
    told: dict[str, Any] = {"event": type(event).__name__}
    for each in fields(event):
        if each.name in common:
            continue
        value, (first, *rest) = getattr(event, each.name), each.name.split("_")
        if isinstance(value, bytes):
            value = "0x" + value.hex()
        elif isinstance(value, int) and value > MAX_INTEGER:
            value = str(value)
        told[first + "".join(map(str.capitalize, rest))] = value
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class SentBySelf:
    """A transaction of a sender of this side."""

    pending: Pending

    def wait(self) -> Receipt:
        """As `Pending.wait`."""
        return self.pending.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class SentByAnother:
    """What a gatekeeper was to send: looked for on the chain itself, by what it does there.

    A gatekeeper may have to send it again, and then it is mined under another hash; or another may
    have sent the same.

    Attributes:
        contracts: Where.
        effect: What the chain shows when it was done.
        transaction: The hash that the gatekeeper named; None where it named none.
        since: Number of the first block that may show it.
        obeyed: Whether the gatekeeper acts on it already.
    """

    contracts: Contracts
    effect: Effect
    transaction: Digest | None
    since: int
    obeyed: bool

    def wait(self) -> Receipt:
        """Wait until the chain shows it.

        Raises:
            ContractReverted: The transaction named was mined, but a contract refused.
            TransportError: Nothing shows it in time; or the transaction named does something else.
        """
        until, pause = time.monotonic() + PATIENCE.total_seconds(), _FIRST_PAUSE
        while (found := self._find()) is None:
            if time.monotonic() >= until:
                raise TransportError(self._late())
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return found

    def _find(self) -> Receipt | None:
        network = self.contracts.network
        if self.transaction is not None:
            found = receipts.find(network, self.transaction)
            if found is not None:
                return self._checked(found)
        head = network.head().number
        for event in events.fetch(network, self.contracts, min(self.since, head), head):
            if self.effect.is_shown_by(event):
                return receipts.find(network, event.transaction)
        return None

    def _checked(self, receipt: Receipt) -> Receipt:
        if not any(map(self.effect.is_shown_by, receipt.events)):
            raise TransportError(
                f"the gatekeeper names transaction {hex_digest(receipt.transaction)}, which does "
                "something else"
            )
        return receipt

    def _late(self) -> str:
        what = f"no {self.effect.kind.__name__} was mined within {PATIENCE}; it may be later"
        return what + (", and the gatekeeper acts on it already" if self.obeyed else "")
