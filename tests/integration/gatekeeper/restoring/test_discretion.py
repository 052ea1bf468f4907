"""Restoring gives nothing away, goes on where a gatekeeper fails, and fills a wallet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from web3 import Web3
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint, RPCResponse

from medaccord.chain import Contracts, Network, Sender, actions, connect
from medaccord.chain.embedded import EmbeddedChain
from medaccord.chain.trust import trusted
from medaccord.client.finding_gatekeepers import find_gatekeepers
from medaccord.client.restored import Restored
from medaccord.client.restored_openings import Openings
from medaccord.client.restoring import restore
from medaccord.core.errors import CommitmentMismatch, TransportError
from medaccord.core.identifiers import hex_digest
from medaccord.core.profiles import OrganisationProfile
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner, Passphrase, Seed, Wallet
from tests.integration.conftest import KEY
from tests.integration.gatekeeper.desk import Desk
from tests.integration.gatekeeper.restoring.life import Life

NOWHERE = "http://127.0.0.1:9"


# --- What is given away


class Overheard(BaseProvider):
    """Passes every call on to the node of a chain, and keeps what was asked."""

    def __init__(self, chain: EmbeddedChain) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._node = chain.network().web3.provider

    def request_func(self, web3: Any, middleware: Any) -> Callable[..., RPCResponse]:
        passed_on = self._node.request_func(web3, middleware)

        def request(method: RPCEndpoint, params: Any) -> RPCResponse:
            self.asked.append(f"{method} {params}".lower())
            return passed_on(method, params)

        return request


@pytest.fixture
def overheard(chain: EmbeddedChain) -> Overheard:
    return Overheard(chain)


@pytest.fixture
def through(overheard: Overheard, contracts: Contracts, chain: EmbeddedChain) -> Contracts:
    """The contracts by way of a node that listens."""
    network = Network(Web3(overheard, middleware=()), clock=chain.clock)
    return connect(network, contracts.deployment)


@pytest.fixture
def sent() -> list[httpx.Request]:
    return []


@pytest.fixture
def http(sent: list[httpx.Request]) -> Iterator[httpx.Client]:
    """Keeps what goes to gatekeepers."""
    with httpx.Client(
        verify=trusted(), timeout=60, event_hooks={"request": [sent.append]}
    ) as client:
        yield client


def test_node_is_never_asked_about_an_account(
    life: Life,
    seed: Seed,
    desk: Desk,
    hospital: LocalSigner,
    overheard: Overheard,
    through: Contracts,
) -> None:
    for index in range(2):
        life.grant(life.enrol(seed.account(index)), seed.account(index))
    life.rotate(seed.account(0).address, seed.account(0), seed.controller(0, 1))
    overheard.asked.clear()
    found = restore(seed, through, {hospital.address: desk.url})
    assert (len(found.accounts), found.problems) == (2, ())
    keys = [seed.controller(index, each).address for index in range(30) for each in range(2)]
    assert len(overheard.asked) >= 2
    for asked in overheard.asked:
        assert not any(key[2:].lower() in asked for key in keys)
        method = asked.split()[0]
        assert method in ("eth_getlogs", "eth_getblockbynumber", "eth_chainid")
        assert "topics" not in asked


def test_account_is_told_to_its_own_steward_alone(
    life: Life,
    seed: Seed,
    desk: Desk,
    hospital: LocalSigner,
    clinician: LocalSigner,
    contracts: Contracts,
    http: httpx.Client,
    sent: list[httpx.Request],
) -> None:
    here = life.enrol(seed.account(0))
    life.grant(here, seed.account(0))
    elsewhere = seed.account(1)
    life.propose(clinician, elsewhere.address)
    life.accept(clinician, elsewhere)
    gatekeepers = {hospital.address: desk.url, clinician.address: NOWHERE}
    found = restore(seed, contracts, gatekeepers, http=http)
    assert found.problems == ()  # it gave no consent, so that there is nothing to ask for
    texts = [f"{each.url} {each.content.decode()}" for each in sent]
    assert any(here in text for text in texts)
    assert not any(elsewhere.address in text for text in texts)


# --- What fails


@pytest.mark.parametrize("known", [True, False])
def test_everything_else_is_restored_when_a_gatekeeper_is_out_of_reach(
    life: Life, seed: Seed, contracts: Contracts, hospital: LocalSigner, known: bool
) -> None:
    account = life.enrol(seed.account(0))
    given = life.grant(account, seed.account(0))
    found = restore(seed, contracts, {hospital.address: NOWHERE} if known else {})
    (consent,) = found.accounts[0].consents
    assert (consent.given.consent_id, consent.terms) == (given.consent, None)
    (problem,) = found.problems
    assert (problem.account, problem.steward) == (account, hospital.address)
    assert isinstance(problem.error, TransportError)


def test_terms_are_refused_when_they_are_not_those_of_the_chain(life: Life, seed: Seed) -> None:
    given = life.grant(life.enrol(seed.account(0)), seed.account(0))
    account = restore(seed, life.contracts, {}).accounts[0]
    wider = replace(given.terms, include_undated=not given.terms.include_undated)
    openings = Openings(terms={given.consent: wider}, reasons={})
    with pytest.raises(CommitmentMismatch, match="not the terms that were committed to"):
        openings.of(account)


def test_gatekeeper_that_lies_is_a_problem_and_its_terms_are_not_taken(
    life: Life, seed: Seed, desk: Desk, contracts: Contracts, hospital: LocalSigner
) -> None:
    given = life.grant(life.enrol(seed.account(0)), seed.account(0))
    honest = httpx.Client(verify=trusted(), timeout=60)

    def pass_on(request: httpx.Request) -> httpx.Response:
        answer = honest.request(
            request.method, str(request.url), content=request.read(), headers=dict(request.headers)
        )
        if request.url.path != "/openings":
            return httpx.Response(answer.status_code, content=answer.content)
        told = answer.json()
        told["consents"][hex_digest(given.consent)]["includeUndated"] = False
        return httpx.Response(200, content=json.dumps(told))

    with honest, httpx.Client(transport=httpx.MockTransport(pass_on)) as lying:
        found = restore(seed, contracts, {hospital.address: desk.url}, http=lying)
    assert [type(each.error) for each in found.problems] == [CommitmentMismatch]
    assert [each.terms for each in found.accounts[0].consents] == [None]


# --- What follows


def test_wallet_that_is_settled_signs_for_every_account_and_gives_the_next(
    life: Life,
    seed: Seed,
    desk: Desk,
    hospital: LocalSigner,
    restored: Callable[[], Restored],
    tmp_path: Path,
) -> None:
    accounts = [life.enrol(seed.account(index)) for index in range(2)]
    life.rotate(accounts[1], seed.account(1), seed.controller(1, 1))
    wallet = Wallet.restore(
        seed.unsafe_words(), tmp_path / "wallet.json", Passphrase(b"new"), cost=2**4
    )
    found = restored()
    wallet.settle(found.for_wallet(), next_index=found.next_index)
    keys = [seed.account(0).address, seed.controller(1, 1).address]
    assert [wallet.signer(account).address for account in accounts] == keys
    held = wallet.account(accounts[1])
    assert (held.steward, held.gatekeeper, held.used) == (hospital.address, desk.url, True)
    assert wallet.new_account().account == seed.account(2).address


def test_gatekeepers_are_found_by_the_profiles_in_force(
    contracts: Contracts,
    sender: Sender,
    gatekeeper: Gatekeeper,
    desk: Desk,
    hospital: LocalSigner,
    clinician: LocalSigner,
) -> None:
    assert find_gatekeepers(contracts, [NOWHERE]) == {}
    named = find_gatekeepers(contracts, [NOWHERE, desk.url])
    assert named == {hospital.address: desk.url}  # by the one that was named, and no profile
    public = "https://records.hospital.example"
    profile = OrganisationProfile(
        account=contracts.account_id(hospital.address), name="Hospital", gatekeeper=public
    )
    published = actions.publish(contracts, account=hospital.address, key=KEY, profile=profile.hash)
    actions.submit(sender, actions.signed(published, hospital))
    gatekeeper.directory.publish(profile.document())
    found = find_gatekeepers(contracts, [NOWHERE, desk.url])
    assert found == {hospital.address: public}
