"""What every state machine here does: send, relay, forge and replay, and compare with the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from eth_account.signers.local import LocalAccount
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.contracts.action import Action
from tests.contracts.deployed import Deployed, Event, decode_error
from tests.contracts.evm import Revert
from tests.contracts.periods import DAY, MAX_SPAN, RECOVERY_DELAY
from tests.invariant.calls import call_data
from tests.invariant.model_organisations import OrganisationsModel
from tests.invariant.model_registry import RegistryModel
from tests.invariant.outcome import Outcome, Refusal
from tests.invariant.world import CONSORTIUM, KEYS, RELAYER, STRANGER, World, world


class Way(Enum):
    """How an action arrives: two honest ways, four that must be refused."""

    SENT = "sent by the key"
    RELAYED = "signed by the key, relayed"
    UNSIGNED = "sent by a stranger without a signature"
    FORGED = "signed by a stranger"
    FOREIGN_CHAIN = "signed for another chain"
    FOREIGN_CONTRACT = "signed for another contract"


WAYS = st.sampled_from([Way.RELAYED] * 15 + [Way.SENT] * 15 + list(Way))
KEY_NAMES = st.sampled_from(["controller"] * 6 * len(KEYS) + list(KEYS))
"""Whoever controls the account now, mostly."""

NONCE_OFFSETS = st.sampled_from([0] * 18 + [1, -1])
DEADLINE_OFFSETS = st.sampled_from([1000] * 15 + [1, 0, -1])
"""From the second of the block in which the action arrives."""

WHICH = st.integers(0, 8 * 5 * 7 * 9 * 11 - 1)
"""For `ContractMachine.choose`."""

ADDRESSES: dict[str, LocalAccount] = {key.address: key for key in KEYS.values()}


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that can be sent again.

    Attributes:
        contract: where to.
        sender: who sends it.
        function: what it calls.
        arguments: with what, the signature included.
        proof: why its sender or signature must be refused, if it must.
        expected: what the model makes of it in a block of this second.
    """

    contract: Deployed
    sender: LocalAccount
    function: str
    arguments: tuple[Any, ...]
    proof: tuple[Refusal, ...]
    expected: Callable[[int], Outcome]


class ContractMachine(RuleBasedStateMachine):
    """Real contracts beside a model; each example begins at the deployment."""

    transactions: ClassVar[int]
    events: ClassVar[Counter[str]]
    refusals: ClassVar[Counter[str]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.transactions, cls.events, cls.refusals = 0, Counter(), Counter()

    def __init__(self) -> None:
        super().__init__()
        self.world: World = world()
        self.world.evm.revert(self.world.beginning)
        self.model = RegistryModel()
        self.organisations = OrganisationsModel(self.model, CONSORTIUM.address)
        self.sent: list[Sent] = []
        self.prepared = False  # from when on transactions count
        self.turn = 0  # how many of this example did
        self.sound = True  # whether nothing has failed, which what fails later must not hide

    @classmethod
    def met(cls) -> set[str]:
        """The names of the events and errors that came up so far."""
        counts = cls.events + cls.refusals
        return {name for name, count in counts.items() if count}

    @property
    def at(self) -> int:
        """The second of the next block."""
        return self.world.evm.now + 1

    def key(self, name: str, account: str) -> LocalAccount:
        """The key of this name; "controller" is the one that controls the account now."""
        if name == "controller":
            return ADDRESSES[self.model.account(account).controller]
        return KEYS[name]

    def choose(self, which: int, eligible: Sequence[str], everybody: Sequence[str]) -> str:
        """One of those who can succeed, if there are any; one time in eight anybody."""
        names = everybody if which % 8 == 7 or not eligible else eligible
        return names[which // 8 % len(names)]

    def attempt(self, action: Action, way: Way, expected: Callable[[int], Outcome]) -> Event | None:
        """Take an action in one of the ways; returns the event when it succeeded."""
        assert isinstance(action.by, LocalAccount)
        sender, signature = RELAYER, b""
        proof: tuple[Refusal, ...] = ()
        if way is Way.SENT:
            sender = action.by
        elif way is Way.UNSIGNED:
            sender = STRANGER
            proof = (("NotSender", {"by": action.by.address, "sender": sender.address}),)
        elif way is Way.RELAYED:
            signature = action.signature()
        else:
            chain = self.world.evm.chain_id
            signature = {
                Way.FORGED: lambda: action.signature(STRANGER),
                Way.FOREIGN_CHAIN: lambda: action.signature(chainId=chain + 1),
                Way.FOREIGN_CONTRACT: lambda: action.signature(verifyingContract=sender.address),
            }[way]()
            proof = (("InvalidSignature", {"by": action.by.address, "digest": action.digest()}),)
        arguments = (*action.arguments, signature)
        return self.send(Sent(action.contract, sender, action.function, arguments, proof, expected))

    def send(self, sent: Sent) -> Event | None:
        """Send a transaction, and hold the contract to the model and to what must never happen."""
        self.sound = False
        event = self._compare(sent)
        if event is not None:
            self.watch(sent, event)
        self.look(self.turn)
        self.sound = True
        return event

    def _compare(self, sent: Sent) -> Event | None:
        if self.prepared:
            self.sent.append(sent)
            self.turn += 1
            type(self).transactions += 1
        at = self.at
        outcome = sent.expected(at)
        refusals = [*outcome.refusals, *sent.proof]
        try:
            data = call_data(sent.contract, sent.function, *sent.arguments)
            receipt = self.world.evm.transact(sent.sender, sent.contract.address, data, at=at)
        except Revert as revert:
            found = decode_error(revert.data)
            assert any(refusal in refusals for refusal in found), (found, refusals)
            type(self).refusals[found[0][0]] += self.prepared
            return None
        assert not refusals, refusals
        assert outcome.effect is not None
        event = outcome.effect()
        assert sent.contract.events(receipt) == [event]
        type(self).events[event.name] += self.prepared
        return event

    def watch(self, sent: Sent, event: Event) -> None:
        """Refuse the forbidden transitions, without asking the model."""

    def look(self, turn: int) -> None:
        """Compare the answer of one view with the model's, another each time."""

    def look_at_everything(self) -> None:
        """Compare the answers of all views with the model's."""

    def teardown(self) -> None:
        """Looks at everything once more, unless something failed already."""
        if self.sound:
            self.look_at_everything()

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 999))
    def replay(self, which: int) -> None:
        """Sends an earlier transaction again, to the last byte; more often a late one."""
        self.send(self.sent[-1 - which % len(self.sent)])

    @rule(which=st.integers(0, 99), offset=st.sampled_from([-1, 0, 1, None]))
    def wait(self, which: int, offset: int | None) -> None:
        """Lets the next block come when something begins or ends, or next to it; or much later."""
        now = self.world.evm.now
        bounds = sorted(bound for bound in self.bounds() if now + 2 < bound < now + MAX_SPAN)
        if offset is None or not bounds:
            self.world.evm.travel_to(now + (60, DAY, RECOVERY_DELAY)[which % 3])
        else:
            self.world.evm.travel_to(bounds[which % len(bounds)] + offset - 1)

    def bounds(self) -> set[int]:
        """The seconds at which something begins or ends."""
        return self.model.bounds()
