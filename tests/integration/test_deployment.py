"""Deploying, the record of it, and connecting by the record."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hexbytes import HexBytes

from medaccord.chain import (
    Contracts,
    Deployment,
    DeploymentSettings,
    FounderAdmission,
    Network,
    Role,
    Sender,
    connect,
    deploy,
)
from medaccord.chain.artifacts import CONTRACTS
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.errors import DeploymentMismatch, InvalidDeployment
from medaccord.core.identifiers import Address, digest
from medaccord.core.typed_data import OFF_CHAIN
from medaccord.keys import LocalSigner
from tests.integration.conftest import KEY, PROFILE, Setting


@pytest.fixture
def deployment(setting: Setting) -> Deployment:
    return setting.deployment


def founded_by(signer: LocalSigner) -> FounderAdmission:
    return FounderAdmission(signer=signer, key=KEY, profile=PROFILE)


def moved(deployment: Deployment, name: str, where: Address) -> Deployment:
    """The record with one contract somewhere else."""
    contract = replace(deployment.contracts[name], address=where)
    return replace(deployment, contracts={**deployment.contracts, name: contract})


# --- Deploying ---


def test_record_names_every_contract_with_its_transaction(
    deployment: Deployment, network: Network, sender: Sender
) -> None:
    assert set(deployment.contracts) == set(CONTRACTS)
    assert deployment.chain_id == 1337
    assert deployment.genesis_hash == network.genesis_hash
    for contract in deployment.contracts.values():
        receipt = network.web3.eth.get_transaction_receipt(HexBytes(contract.transaction))
        assert contract.address == receipt["contractAddress"]
        assert contract.deployer == receipt["from"] == sender.address
        assert contract.block == receipt["blockNumber"]
    assert deployment.first_block == deployment.contracts["Registry"].block


def test_record_has_the_arguments_of_the_constructors(deployment: Deployment) -> None:
    contracts = deployment.contracts
    registry = contracts["Registry"].address
    assert contracts["Registry"].arguments == (
        contracts["Consortium"].address,
        7 * 86_400,
        86_400,
    )
    assert contracts["Relationships"].arguments == (registry,)
    assert contracts["Consents"].arguments == (registry, 1825 * 86_400, 86_400)
    assert contracts["Anchors"].arguments == (registry,)
    consortium = contracts["Consortium"].arguments
    assert consortium[0] == registry
    assert consortium[4:6] == ("0x" + KEY.hex(), "0x" + PROFILE.hex())


def test_settings_reach_the_contracts(
    network: Network, sender: Sender, stranger: LocalSigner
) -> None:
    settings = DeploymentSettings(
        recovery_delay=timedelta(minutes=1),
        emergency_delay=timedelta(minutes=2),
        max_consent_span=timedelta(days=3),
        max_emergency=timedelta(hours=4),
    )
    contracts = connect(network, deploy(network, sender, founded_by(stranger), settings))
    assert contracts.call("Registry", "RECOVERY_DELAY") == 60
    assert contracts.call("Registry", "EMERGENCY_DELAY") == 120
    assert contracts.call("Consents", "MAX_SPAN") == 3 * 86_400
    assert contracts.call("Consents", "MAX_EMERGENCY") == 4 * 3_600


def test_founder_is_the_only_member_when_just_deployed(
    network: Network, sender: Sender, stranger: LocalSigner
) -> None:
    contracts = connect(network, deploy(network, sender, founded_by(stranger)))
    roles, admitted, suspended, _, key, profile = contracts.call(
        "Registry", "organisationOf", stranger.address
    )
    assert (roles, admitted, suspended) == (Role.MEMBER, True, False)
    assert (key, profile) == (KEY, PROFILE)
    assert contracts.call("Registry", "activeMembers") == 1


def test_domains_are_those_of_the_contracts(contracts: Contracts) -> None:
    for name in CONTRACTS:
        domain = contracts.domain(name)
        _, *told, _, _ = contracts.call(name, "eip712Domain")
        assert told == [domain.name, "1", domain.chain_id, domain.contract]
    assert contracts.off_chain_domain.name == OFF_CHAIN
    assert contracts.off_chain_domain.contract == contracts.address("Consents")


# --- The record ---


def test_record_is_read_back_the_same(deployment: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "new" / "deployment.json"
    deployment.save(path)
    assert Deployment.load(path) == deployment


def test_record_is_sorted(deployment: Deployment) -> None:
    text = deployment.to_json()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


def test_record_is_refused_when_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidDeployment, match="no record of a deployment at"):
        Deployment.load(tmp_path / "deployment.json")


def test_record_is_refused_when_it_is_no_json() -> None:
    with pytest.raises(InvalidDeployment, match="no record of a deployment"):
        Deployment.parse("deployed on Tuesday")


def without(*path: str) -> Callable[[dict[str, Any]], None]:
    def remove(record: dict[str, Any]) -> None:
        for name in path[:-1]:
            record = record[name]
        del record[path[-1]]

    return remove


def with_value(value: object, *path: str) -> Callable[[dict[str, Any]], None]:
    def put(record: dict[str, Any]) -> None:
        for name in path[:-1]:
            record = record[name]
        record[path[-1]] = value

    return put


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without("genesisHash"), "genesisHash"),
        (without("contracts", "Anchors"), "Anchors"),
        (without("contracts", "Anchors", "block"), "block"),
        (with_value("medaccord/deployment/2", "profile"), "profile"),
        (with_value(0, "chainId"), "chainId"),
        (with_value("0x00", "genesisHash"), "genesisHash"),
        (with_value("0x00", "contracts", "Anchors", "address"), "address"),
        (with_value(-1, "contracts", "Anchors", "block"), "block"),
        (with_value("", "contracts", "Anchors", "arguments"), "arguments"),
        (with_value([True], "contracts", "Anchors", "arguments"), "arguments"),
        (with_value({}, "contracts", "Escrow"), "Escrow"),
    ],
)
def test_record_is_refused_when_malformed(
    deployment: Deployment, change: Callable[[dict[str, Any]], None], why: str
) -> None:
    record = json.loads(deployment.to_json())
    change(record)
    with pytest.raises(InvalidDeployment, match=why):
        Deployment.parse(json.dumps(record))


# --- Connecting ---


def test_connecting_is_refused_when_the_chain_has_another_id(
    network: Network, deployment: Deployment
) -> None:
    with pytest.raises(DeploymentMismatch, match="on chain 1337, the record is of chain 1:"):
        connect(network, replace(deployment, chain_id=1))


def test_connecting_is_refused_when_the_chain_was_started_anew(deployment: Deployment) -> None:
    with pytest.raises(DeploymentMismatch, match="started anew"):
        connect(EmbeddedChain().network(), deployment)


def test_connecting_is_refused_when_a_contract_is_not_there(
    network: Network, deployment: Deployment, stranger: LocalSigner
) -> None:
    with pytest.raises(DeploymentMismatch, match=f"{stranger.address} there is no Anchors"):
        connect(network, moved(deployment, "Anchors", stranger.address))


def test_connecting_is_refused_when_the_code_is_not_ours(
    network: Network, deployment: Deployment
) -> None:
    elsewhere = deployment.contracts["Consents"].address
    with pytest.raises(DeploymentMismatch, match="other code than this version's Anchors"):
        connect(network, moved(deployment, "Anchors", elsewhere))


@pytest.mark.parametrize("name", ["Relationships", "Consents", "Anchors", "Consortium"])
def test_connecting_is_refused_when_a_contract_obeys_another_registry(
    network: Network, deployment: Deployment, sender: Sender, stranger: LocalSigner, name: str
) -> None:
    other = deploy(network, sender, founded_by(stranger))
    where = other.contracts[name].address
    with pytest.raises(
        DeploymentMismatch, match=f"{name} obeys {other.contracts['Registry'].address}"
    ):
        connect(network, moved(deployment, name, where))


def test_connecting_is_refused_when_the_registry_obeys_another_consortium(
    network: Network, deployment: Deployment, sender: Sender, stranger: LocalSigner
) -> None:
    other = deploy(network, sender, founded_by(stranger))
    mixed = moved(other, "Consortium", deployment.contracts["Consortium"].address)
    with pytest.raises(DeploymentMismatch, match="do not use this record"):
        connect(network, mixed)


def test_genesis_hash_is_checked_before_any_code(network: Network, deployment: Deployment) -> None:
    with pytest.raises(DeploymentMismatch, match="name the record that fits"):
        connect(network, replace(deployment, genesis_hash=digest(bytes(32))))
