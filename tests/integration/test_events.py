"""Events as they are read back from the chain."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest

from medaccord.chain import (
    Contracts,
    FounderAdmission,
    Network,
    Sender,
    actions,
    deploy,
    events,
)
from medaccord.chain.embedded import EmbeddedChain, Snapshot
from medaccord.chain.events import fetching
from medaccord.chain.headers import Header
from medaccord.core.blocks import BlockRef
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import Digest
from medaccord.keys import LocalSigner
from tests.integration.conftest import KEY, PROFILE


def relay(
    contracts: Contracts, sender: Sender, patient: LocalSigner, count: int
) -> list[events.Event]:
    """Revoke everything a few times."""
    found: list[events.Event] = []
    for _ in range(count):
        action = actions.revoke_all(contracts, account=patient.address)
        found += actions.submit(sender, actions.signed(action, patient)).events
    return found


def fetch(contracts: Contracts, since: BlockRef) -> list[events.Event]:
    head = contracts.network.head().number
    return events.fetch(contracts.network, contracts, since.number + 1, head)


def test_events_say_all_that_the_contract_reported(
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    clinician: LocalSigner,
    terms: Digest,
) -> None:
    now = contracts.network.clock()
    action = actions.grant(
        contracts,
        patient=patient.address,
        grantee=clinician.address,
        terms=terms,
        valid_from=now,
        valid_until=now + timedelta(days=30),
    )
    receipt = actions.submit(sender, actions.signed(action, patient))
    assert receipt.events == (
        events.ConsentGranted(
            contract=contracts.address("Consents"),
            block=receipt.block,
            transaction=receipt.transaction,
            log_index=0,
            patient=patient.address,
            grantee=clinician.address,
            consent_id=action.digest,
            by=patient.address,
            terms=terms,
            valid_from=int(now.timestamp()),
            valid_until=int(now.timestamp()) + 30 * 86_400,
            request=Digest(bytes(32)),
            epoch=0,
        ),
    )


def test_fetched_events_are_those_of_the_receipts_in_order(
    contracts: Contracts, sender: Sender, patient: LocalSigner
) -> None:
    head = contracts.network.head()
    assert fetch(contracts, head) == []
    reported = relay(contracts, sender, patient, 4)
    assert fetch(contracts, head) == reported


def test_fetched_events_of_one_block_are_in_order(
    chain: EmbeddedChain, contracts: Contracts
) -> None:
    # One of its own: what it sent is forgotten with the chain, and it would send it again.
    sender = Sender(contracts.network, chain.funded_signer())
    head = contracts.network.head()
    patients = [LocalSigner.create() for _ in range(3)]
    with chain.mining_paused():
        for patient in patients:
            action = actions.revoke_all(contracts, account=patient.address)
            actions.submit(sender, actions.signed(action, patient), wait=False)
    fetched = fetch(contracts, head)
    assert [event.log_index for event in fetched] == [0, 1, 2]
    accounts = [event.account for event in fetched if isinstance(event, events.AllRevoked)]
    assert accounts == [patient.address for patient in patients]


def test_history_of_the_deployment_begins_with_the_founder(
    contracts: Contracts, hospital: LocalSigner
) -> None:
    head = contracts.network.head().number
    first = events.fetch(contracts.network, contracts, contracts.deployment.first_block, head)[0]
    assert isinstance(first, events.OrganisationAdmitted)
    assert first.account == hospital.address


@pytest.mark.parametrize("blocks", [1, 2, 3, 7])
def test_fetched_events_are_the_same_whatever_the_range(
    contracts: Contracts,
    sender: Sender,
    patient: LocalSigner,
    blocks: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    head = contracts.network.head()
    reported = relay(contracts, sender, patient, 5)
    monkeypatch.setattr(fetching, "MAX_RANGE", blocks)
    assert fetch(contracts, head) == reported


def test_events_of_another_deployment_are_left_out(
    contracts: Contracts, sender: Sender, stranger: LocalSigner
) -> None:
    head = contracts.network.head()
    deploy(
        contracts.network,
        sender,
        FounderAdmission(signer=stranger, key=KEY, profile=PROFILE),
    )
    assert fetch(contracts, head) == []


class ReorganisedNetwork(Network):
    """A network whose newest block is replaced just after its logs were read."""

    chain: EmbeddedChain
    snapshot: Snapshot

    def headers(self, numbers: Iterable[int]) -> list[Header]:
        """Replace the block, then tell of it."""
        self.chain.revert(self.snapshot)
        self.chain.mine()
        return super().headers(numbers)


def test_fetching_is_refused_when_the_chain_changed_meanwhile(
    chain: EmbeddedChain, contracts: Contracts, sender: Sender, patient: LocalSigner
) -> None:
    network = ReorganisedNetwork(contracts.network.web3)
    network.chain, network.snapshot = chain, chain.snapshot()
    relay(contracts, sender, patient, 1)
    number = contracts.network.head().number
    with pytest.raises(TransportError, match=f"block {number} was replaced"):
        events.fetch(network, contracts, number, number)
