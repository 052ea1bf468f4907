"""Whether a node is still on the chain that its ledger is of."""

from __future__ import annotations

from medaccord.chain import wire
from medaccord.chain.deployment import Contracts
from medaccord.chain.headers import parse_header
from medaccord.chain.network import Network, block_call
from medaccord.core.errors import DeploymentMismatch
from medaccord.core.identifiers import hex_digest

__all__ = ["Identity"]


class Identity:
    """What tells a chain from every other one, asked of the node anew each time.

    A node can be exchanged behind its address: a local one that was started again, a proxy that
    was pointed elsewhere.
    """

    def __init__(self, network: Network, contracts: Contracts) -> None:
        """Remember the chain that the deployment is on.

        Args:
            network: the connection asked.
            contracts: whose deployment the chain must carry.
        """
        self._network = network
        self._contracts = contracts

    def check(self) -> None:
        """Check chain id and first block.

        Raises:
            DeploymentMismatch: the node is on another chain now.
            TransportError: it does not answer.
        """
        deployment = self._contracts.deployment
        told, first = self._network.batch([("eth_chainId", ()), block_call(0)])
        chain_id = wire.quantity(told)
        if chain_id != deployment.chain_id:
            raise DeploymentMismatch(
                f"the node is on chain {chain_id} now, this ledger is of chain "
                f"{deployment.chain_id}: connect it to a node of that chain again"
            )
        genesis_hash = parse_header(first, chain_id=chain_id).block.hash
        if genesis_hash != deployment.genesis_hash:
            raise DeploymentMismatch(
                f"the node's chain begins with block {hex_digest(genesis_hash)} now, this ledger's "
                f"with {hex_digest(deployment.genesis_hash)}: a chain was started anew behind the "
                "same address; connect to the one this ledger is of, or deploy again"
            )

    def check_code(self) -> None:
        """Check that our contracts are there: a chain may part before they were deployed.

        Raises:
            DeploymentMismatch: they are not.
            TransportError: the node does not answer.
        """
        registry = self._contracts.registry.address
        if not wire.data(self._network.request("eth_getCode", registry, "latest")):
            raise DeploymentMismatch(
                f"the chain was reorganised to before its contracts: there is no code at {registry}"
            )
