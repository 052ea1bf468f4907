"""The chain: compiled contracts, networks, deployments, sending, actions and events.

The embedded chain stands in `medaccord.chain.embedded`: it needs what users of a node do not.
"""

from medaccord.chain import actions, events, reverts
from medaccord.chain.deployment import (
    Contracts,
    DeployedContract,
    Deployment,
    DeploymentSettings,
    FounderAdmission,
    connect,
    deploy,
)
from medaccord.chain.guardians import (
    GuardianApproval,
    GuardianCircle,
    GuardianPlace,
    RevealedCircle,
)
from medaccord.chain.network import Clock, Network, utc_now
from medaccord.chain.powers import Power, Role
from medaccord.chain.sender import Pending, Receipt, Sender

__all__ = [
    "Clock",
    "Contracts",
    "DeployedContract",
    "Deployment",
    "DeploymentSettings",
    "FounderAdmission",
    "GuardianApproval",
    "GuardianCircle",
    "GuardianPlace",
    "Network",
    "Pending",
    "Power",
    "Receipt",
    "RevealedCircle",
    "Role",
    "Sender",
    "actions",
    "connect",
    "deploy",
    "events",
    "reverts",
    "utc_now",
]
