"""Fetching only some events: those of a kind, about an account, with an organisation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from medaccord.chain import Contracts, Network, actions, connect, events
from medaccord.chain.rpc_server import RpcServer
from medaccord.core.errors import TransportError
from medaccord.gatekeeper.server import bind, serve
from medaccord.keys import LocalSigner
from tests.integration.conftest import Setting
from tests.integration.every_action import World
from tests.integration.faulty_node import FaultyNode, logs

OTHER = "0x" + "11" * 32


@pytest.fixture
def node(setting: Setting) -> Iterator[FaultyNode]:
    """A node that can be told to lie about the chain of these tests."""
    listener = bind()
    server = serve(RpcServer(setting.chain.answer), listener)
    try:
        with FaultyNode(server.url).running() as faulty:
            yield faulty
    finally:
        server.stop()
        listener.close()


@pytest.fixture
def far(node: FaultyNode, setting: Setting) -> Contracts:
    """The contracts as they are seen through it."""
    return connect(Network.connect(node.url), setting.deployment)


@pytest.fixture
def told(
    setting: Setting, patient: LocalSigner, stranger: LocalSigner, far: Contracts
) -> list[events.Event]:
    """Everything on the chain: among it a relationship and a consent of the patient."""
    world = World(setting, patient, stranger)
    world.relay(world.step(actions.propose, world.clinician), world.clinician)
    world.relay(world.grant(), patient)
    revoked = actions.revoke_all(setting.contracts, account=stranger.address)
    world.relay(revoked, stranger)
    return events.fetch(far.network, far, 0, far.network.head().number)


def fetch(far: Contracts, **wanted: object) -> list[events.Event]:
    last = far.network.head().number
    return events.fetch(far.network, far, 0, last, **wanted)  # type: ignore[arg-type]  # by name


def test_events_of_a_kind_are_fetched_alone(far: Contracts, told: list[events.Event]) -> None:
    found = fetch(far, kind=events.AllRevoked)
    assert found == [event for event in told if isinstance(event, events.AllRevoked)]
    assert len(found) == 1


def test_events_with_an_organisation_are_fetched_alone(
    far: Contracts, told: list[events.Event], clinician: LocalSigner
) -> None:
    found = fetch(far, organisation=clinician.address)
    kinds = {events.RelationshipProposed, events.ConsentGranted}
    assert {type(event) for event in found} >= kinds
    assert [event for event in told if type(event) in kinds and event in found] == [
        event for event in told if type(event) in kinds
    ]


def test_events_are_fetched_that_meet_everything_named(
    far: Contracts, told: list[events.Event], clinician: LocalSigner, patient: LocalSigner
) -> None:
    named = {"about": patient.address, "organisation": clinician.address}
    (found,) = fetch(far, kind=events.ConsentGranted, **named)
    assert found in told
    assert fetch(far, kind=events.EmergencyOpened, **named) == []


def test_fetching_is_refused_when_a_log_is_of_another_kind(
    node: FaultyNode, far: Contracts, told: list[events.Event]
) -> None:
    node.spoil = logs(lambda found: found[0]["topics"].__setitem__(0, OTHER))
    with pytest.raises(TransportError, match="a log that is of another kind than asked for"):
        fetch(far, kind=events.AllRevoked)


def test_fetching_is_refused_when_a_log_is_with_another_organisation(
    node: FaultyNode, far: Contracts, told: list[events.Event], clinician: LocalSigner
) -> None:
    node.spoil = logs(lambda found: found[0]["topics"].__setitem__(2, OTHER))
    with pytest.raises(TransportError, match=f"a log that is not about {clinician.address}"):
        fetch(far, kind=events.ConsentGranted, organisation=clinician.address)
