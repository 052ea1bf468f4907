"""Connecting by the address of a node and a record: what does not fit is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import medaccord
import medaccord.settings
from medaccord.chain import Deployment
from medaccord.chain.rpc_server import RpcServer
from medaccord.client import Patient
from medaccord.core.errors import DeploymentMismatch, InvalidDeployment, TransportError
from medaccord.core.identifiers import digest, hex_digest
from medaccord.demo.stage import Hospital, Stage
from medaccord.gatekeeper.server import bind, serve
from tests.integration.client.conftest import World


@pytest.fixture
def url(stage: Stage) -> Iterator[str]:
    """The chain of these tests, as a node that answers JSON-RPC."""
    listener = bind()
    server = serve(RpcServer(stage.chain.answer), listener)
    try:
        yield server.url
    finally:
        server.stop()
        listener.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program's folder of its own."""
    monkeypatch.setattr(medaccord.settings, "HOME", tmp_path)
    return tmp_path


def test_contracts_are_found_by_a_record_a_path_or_its_text(
    url: str, stage: Stage, tmp_path: Path
) -> None:
    path = tmp_path / "deployment.json"
    stage.deployment.save(path)
    for named in (stage.deployment, path, str(path)):
        assert medaccord.connect(url, deployment=named).deployment == stage.deployment


def test_contracts_are_found_by_the_record_of_this_chain_in_the_programs_folder(
    url: str, stage: Stage, home: Path
) -> None:
    named = hex_digest(stage.network.genesis_hash)
    stage.deployment.save(home / "deployments" / f"{named}.json")
    assert medaccord.connect(url).deployment == stage.deployment


def test_patient_acts_on_contracts_that_were_connected_to(
    url: str, stage: Stage, world: World, hospital: Hospital
) -> None:
    contracts = medaccord.connect(url, deployment=stage.deployment, clock=stage.chain.clock)
    with Patient(world.patient, contracts, hospital.url) as patient:
        assert patient.consents.revoke(world.consent).is_mined


def test_connecting_is_refused_when_there_is_no_record(url: str, home: Path) -> None:
    with pytest.raises(InvalidDeployment, match=r"no record of a deployment at .*\.json"):
        medaccord.connect(url)


def test_connecting_is_refused_when_the_chain_has_another_id(url: str, stage: Stage) -> None:
    with pytest.raises(DeploymentMismatch, match="the node is on chain 1337, the record is of"):
        medaccord.connect(url, deployment=replace(stage.deployment, chain_id=1))


def test_connecting_is_refused_when_the_chain_was_started_anew(url: str, stage: Stage) -> None:
    before = replace(stage.deployment, genesis_hash=digest(b"\x07" * 32))
    with pytest.raises(DeploymentMismatch, match="a local chain was started anew"):
        medaccord.connect(url, deployment=before)


def test_connecting_is_refused_when_other_code_stands_at_an_address(url: str, stage: Stage) -> None:
    contracts = dict(stage.deployment.contracts)
    contracts["Anchors"] = replace(contracts["Anchors"], address=contracts["Consents"].address)
    mixed: Deployment = replace(stage.deployment, contracts=contracts)
    with pytest.raises(DeploymentMismatch, match="there is other code than this version's Anchors"):
        medaccord.connect(url, deployment=mixed)


def test_connecting_is_refused_when_no_node_answers(stage: Stage) -> None:
    with pytest.raises(TransportError, match="no Ethereum node answers at"):
        medaccord.connect("http://127.0.0.1:9", deployment=stage.deployment)
