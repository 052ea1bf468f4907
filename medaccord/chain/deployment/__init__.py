"""One deployment of the contracts: how it is made, the record of it, and how to connect to it.

deploy(network, sender, founder, DeploymentSettings()).save(path)
contracts = connect(network, Deployment.load(path))
"""

from medaccord.chain.deployment.contracts import Contracts, connect
from medaccord.chain.deployment.deploying import DeploymentSettings, FounderAdmission, deploy
from medaccord.chain.deployment.record import DeployedContract, Deployment

__all__ = [
    "Contracts",
    "DeployedContract",
    "Deployment",
    "DeploymentSettings",
    "FounderAdmission",
    "connect",
    "deploy",
]
