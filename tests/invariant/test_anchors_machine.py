"""Anchors against lists that only grow, while the Registry changes beneath them."""

from __future__ import annotations

from eth_utils.crypto import keccak
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.contracts.care_actions import AnchorActions
from tests.contracts.deployed import Event
from tests.contracts.masks import ANCHOR
from tests.invariant.calls import ask
from tests.invariant.disturbances import Disturbances
from tests.invariant.machine import WAYS, Sent, Way
from tests.invariant.model_anchors import AnchorsModel, head_of
from tests.invariant.model_registry import EMPTY
from tests.invariant.stepping import run
from tests.invariant.world import KEYS, RELAYER

NAMES = ("hospital", "patient", "clinician", "department", "thief")
TOPICS = tuple(keccak(text=f"topic {number}") for number in range(2))
ROOTS = st.sampled_from([keccak(text=f"root {number}") for number in range(8)] + [EMPTY])
ACTORS = st.sampled_from(["controller"] * 12 + ["carer"] * 3 + ["phone", "thief", "clinician"])
BUILT_ON = st.sampled_from(["head"] * 12 + ["nothing", "an earlier head", "another stream"])


class AnchorsMachine(Disturbances):
    """All of Anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors = AnchorsModel(self.model)
        self.anchoring = AnchorActions(self.world.anchors, RELAYER)
        self.heads: dict[tuple[str, bytes], list[bytes]] = {
            (KEYS[name].address, topic): [EMPTY] for name in NAMES for topic in TOPICS
        }

    @initialize()
    def begin(self) -> None:
        self.settle()

    @rule(
        name=st.sampled_from(NAMES),
        topic=st.sampled_from(TOPICS),
        root=ROOTS,
        built_on=BUILT_ON,
        which=st.integers(0, 99),
        by_name=ACTORS,
        way=WAYS,
    )
    def append(
        self,
        name: str,
        topic: bytes,
        root: bytes,
        built_on: str,
        which: int,
        by_name: str,
        way: Way,
    ) -> None:
        account = KEYS[name]
        by, heads = self.key(by_name, account.address), self.heads[account.address, topic]
        others = [chain[-1] for chain in self.heads.values()]
        previous = {
            "head": heads[-1],
            "nothing": EMPTY,
            "an earlier head": heads[which % len(heads)],
            "another stream": others[which % len(others)],
        }[built_on]
        self.attempt(
            self.anchoring.append(account, topic, root, previous=previous, by=by),
            way,
            lambda now: self.anchors.append(
                now, account.address, by.address, topic, previous, root
            ),
        )

    @rule(name=st.sampled_from(NAMES), topic=st.sampled_from(TOPICS), root=ROOTS, way=WAYS)
    def append_more(self, name: str, topic: bytes, root: bytes, way: Way) -> None:
        """Builds on the head, as a gatekeeper does most of the time."""
        self.append(name, topic, root, "head", 0, "controller", way)

    def watch(self, sent: Sent, event: Event) -> None:
        """A stream never forks and never shrinks: each head is new and follows the last."""
        if event.name != "Anchored":
            return
        values = event.values
        heads = self.heads[values["account"], values["topic"]]
        assert values["previous"] == heads[-1], "the stream forked"
        assert values["head"] not in heads, "a head came back"
        account, by = values["account"], values["by"]
        assert ask(self.world.registry, "isAuthorised", account, by, ANCHOR), "by another"
        heads.append(values["head"])

    def look(self, turn: int) -> None:
        name, topic = NAMES[turn % len(NAMES)], TOPICS[turn // len(NAMES) % len(TOPICS)]
        self.look_at_stream(KEYS[name].address, topic)

    def look_at_stream(self, account: str, topic: bytes) -> None:
        head = ask(self.world.anchors, "headOf", account, topic)
        assert head == head_of(self.anchors.streams[account, topic])
        assert head == self.heads[account, topic][-1]

    def look_at_everything(self) -> None:
        for account, topic in self.heads:
            self.look_at_stream(account, topic)


def test_anchors_do_what_the_model_does() -> None:
    run(
        AnchorsMachine,
        must_happen=[
            "Anchored",
            "WrongHead",
            "NotAuthorised",
            "RecoveryStarted",
            "OrganisationSuspended",
        ],
    )
