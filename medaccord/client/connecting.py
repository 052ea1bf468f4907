"""Connecting to the contracts of a deployment, by the address of a node and a record."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

from medaccord.chain import deployment as deployments
from medaccord.chain.deployment import Contracts, Deployment
from medaccord.chain.network import Clock, Network, utc_now
from medaccord.core.identifiers import hex_digest
from medaccord.settings import HOME

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
    if not isinstance(deployment, Deployment):
        default = HOME / "deployments" / f"{hex_digest(network.genesis_hash)}.json"
        deployment = Deployment.load(default if deployment is None else Path(deployment))
    return deployments.connect(network, deployment)
