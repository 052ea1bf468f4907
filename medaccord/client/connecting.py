"""Connecting to the contracts of a deployment, by the address of a node and a record."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

from medaccord.chain import deployment as deployments
from medaccord.chain.deployment import Contracts, Deployment
from medaccord.chain.network import Clock, Network, utc_now
from medaccord.settings import own_record

_TIMEOUT: Final = timedelta(seconds=10)


def connect(
    rpc_url: str,
    *,
    deployment: Deployment | Path | str | None = None,
    timeout: timedelta = _TIMEOUT,
    confirmations: int = 0,
    clock: Clock = utc_now,
) -> Contracts:
    """Connect to a node, and check that a deployment's contracts are there, and ours.

    Args:
        rpc_url: The node's JSON-RPC address, ``http://…`` or ``https://…``.
        deployment: The record of the contracts, or the file it is in; unless given, the record of
            this very chain in the program's own folder, where ``medaccord deploy`` leaves it.
        timeout: How long one call may take.
        confirmations: Blocks on top of a block before it counts as final; 0 where blocks are final
            at once.
        clock: Tells the time that deadlines are measured by.

    Raises:
        DeploymentMismatch: The chain has another id or another genesis than the record, or the code
            at an address is not what this version was compiled to; it says which, and what to do.
        InvalidDeployment: There is no such record, or the file holds none.
        TransportError: No node answers there, or badly.
    """
    network = Network.connect(rpc_url, timeout=timeout, confirmations=confirmations, clock=clock)
    if isinstance(deployment, Deployment):
        return deployments.connect(network, deployment)
    return contracts_on(network, None if deployment is None else Path(deployment))


def contracts_on(network: Network, record: Path | None = None) -> Contracts:
    """The contracts of a record, checked against the chain that a network is.

    Args:
        network: The chain.
        record: The file; unless given, `settings.own_record` of this very chain.

    Raises:
        DeploymentMismatch: And the rest, as `connect`.
    """
    path = own_record(network.genesis_hash) if record is None else record
    return deployments.connect(network, Deployment.load(path))
