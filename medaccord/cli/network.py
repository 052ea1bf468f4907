"""The chain and the contracts that the settings of a command name, checked."""

from __future__ import annotations

from medaccord.chain.deployment import Contracts
from medaccord.chain.network import Network
from medaccord.client.connecting import contracts_on
from medaccord.settings import Settings


def network_of(settings: Settings) -> Network:
    """The network of the node that is set.

    Raises:
        InvalidSetting: it is on another chain than is set.
        TransportError: the node does not answer, or badly.
    """
    network = Network.connect(
        settings.rpc_url,
        confirmations=settings.confirmations,
        block_period=settings.block_period,
    )
    settings.require_chain(network.chain_id)
    return network


def contracts_of(settings: Settings) -> Contracts:
    """The contracts of the deployment that is set, else of this user's on that chain.

    Raises:
        InvalidSetting: as `network_of`.
        InvalidDeployment: there is no record of them.
        DeploymentMismatch: the record is of another chain, or the contracts are not ours.
        TransportError: the node does not answer, or badly.
    """
    return contracts_on(network_of(settings), settings.record)
