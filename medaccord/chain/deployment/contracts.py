"""The contracts of one deployment, checked to be ours and ready to be called."""

from __future__ import annotations

from enum import IntFlag
from typing import Any, Final

from web3.contract.contract import Contract
from web3.types import BlockIdentifier

from medaccord.chain import artifacts
from medaccord.chain.deployment.record import Deployment
from medaccord.chain.network import Network
from medaccord.chain.reverts import translated
from medaccord.core.errors import DeploymentMismatch
from medaccord.core.identifiers import AccountId, Address, address, hex_digest
from medaccord.core.typed_data import OFF_CHAIN, Domain

_GOVERNED: Final = ("Relationships", "Consents", "Anchors", "Consortium")


class Contracts:
    """The contracts of one deployment. Get them from `connect`, which checks them.

    Attributes:
        network: the chain they stand on.
        deployment: the record they were found by.
    """

    def __init__(self, network: Network, deployment: Deployment) -> None:
        """Use the contracts at the addresses of a record, unchecked."""
        self.network = network
        self.deployment = deployment
        self._contracts: dict[str, Contract] = {
            name: network.web3.eth.contract(contract.address, abi=artifacts.load(name).abi)
            for name, contract in deployment.contracts.items()
        }

    @property
    def registry(self) -> Contract:
        """Who may act for an account, and which organisations belong."""
        return self._contracts["Registry"]

    @property
    def relationships(self) -> Contract:
        """Which steward keeps records for which patient."""
        return self._contracts["Relationships"]

    @property
    def consents(self) -> Contract:
        """What patients consented to, and emergency access."""
        return self._contracts["Consents"]

    @property
    def anchors(self) -> Contract:
        """Streams of commitments."""
        return self._contracts["Anchors"]

    @property
    def consortium(self) -> Contract:
        """The members' votes on organisations."""
        return self._contracts["Consortium"]

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where the contracts stand."""
        return tuple(contract.address for contract in self.deployment.contracts.values())

    def address(self, name: str) -> Address:
        """Where one of `artifacts.CONTRACTS` stands."""
        return self.deployment.contracts[name].address

    def domain(self, name: str) -> Domain:
        """The domain that actions of one of `artifacts.CONTRACTS` are signed under."""
        return domain(self.deployment.chain_id, name, self.address(name))

    @property
    def off_chain_domain(self) -> Domain:
        """The domain of what is signed but never sent to a contract."""
        return Domain(
            name=OFF_CHAIN,
            chain_id=self.deployment.chain_id,
            contract=self.address("Consents"),
        )

    def account_id(self, account: Address) -> AccountId:
        """An account of this chain, named with it."""
        return AccountId(chain_id=self.deployment.chain_id, address=account)

    def call(
        self, name: str, function: str, *arguments: Any, at: BlockIdentifier = "latest"
    ) -> Any:
        """Call a view.

        Args:
            name: one of `artifacts.CONTRACTS`.
            function: of that contract.
            *arguments: of that function.
            at: the block whose state is asked.

        Raises:
            ContractReverted: the contract refused.
            TransportError: the node does not answer, or badly.
        """
        # web3 takes a flag for a collection.
        plain = [int(each) if isinstance(each, IntFlag) else each for each in arguments]
        return self.network.call(self._contracts[name].functions[function](*plain), at=at)


def domain(chain_id: int, name: str, contract: Address) -> Domain:
    """The domain that actions of a contract are signed under.

    Args:
        chain_id: EIP-155 chain id.
        name: one of `artifacts.CONTRACTS`.
        contract: where it stands.
    """
    return Domain(name=f"medaccord {name}", chain_id=chain_id, contract=contract)


def connect(network: Network, deployment: Deployment) -> Contracts:
    """Connect to the contracts of a record, and check that they are there and ours.

    Args:
        network: the chain they should stand on.
        deployment: the record of them.

    Raises:
        DeploymentMismatch: the chain is another one, the code at an address is not what this
            version was compiled to (its immutables aside), or a contract obeys a registry that is
            not of the record.
        TransportError: the node does not answer, or badly.
    """
    if network.chain_id != deployment.chain_id:
        raise DeploymentMismatch(
            f"the node is on chain {network.chain_id}, the record is of chain "
            f"{deployment.chain_id}: name the node or the record that fits"
        )
    if network.genesis_hash != deployment.genesis_hash:
        raise DeploymentMismatch(
            f"the chain began with block {hex_digest(network.genesis_hash)}, that of the record "
            f"with {hex_digest(deployment.genesis_hash)}: a local chain was started anew; deploy "
            "again, or name the record that fits"
        )
    for name, contract in deployment.contracts.items():
        with translated():
            code = bytes(network.web3.eth.get_code(contract.address))
        if not artifacts.load(name).is_code(code):
            raise DeploymentMismatch(
                f"at {contract.address} there is "
                + (f"other code than this version's {name}" if code else f"no {name}, and no code")
                + ": use the version of medaccord that deployed it, or deploy again"
            )
    contracts = Contracts(network, deployment)
    _check_wiring(contracts)
    return contracts


def _check_wiring(contracts: Contracts) -> None:
    wired = [(name, "REGISTRY", "Registry") for name in _GOVERNED]
    for name, getter, expected in [*wired, ("Registry", "CONSORTIUM", "Consortium")]:
        found = address(contracts.call(name, getter))
        if found != contracts.address(expected):
            raise DeploymentMismatch(
                f"{name} obeys {found}, but the record names {contracts.address(expected)} as the "
                f"{expected}: do not use this record"
            )
