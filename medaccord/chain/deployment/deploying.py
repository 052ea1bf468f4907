"""Deploying the contracts, once for a network of hospitals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from web3.types import Nonce
from web3.utils.address import get_create_address

from medaccord.chain import artifacts
from medaccord.chain.deployment.contracts import domain
from medaccord.chain.deployment.record import Argument, DeployedContract, Deployment
from medaccord.chain.network import Network
from medaccord.chain.powers import Role
from medaccord.chain.reverts import translated
from medaccord.chain.sender import Sender
from medaccord.chain.values import seconds
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import Address, Digest, address
from medaccord.core.typed_data import typed
from medaccord.keys.signer import Signer

_ADMISSION_LIFETIME: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSettings:
    """What is fixed for good when the contracts are deployed.

    Attributes:
        recovery_delay: from the start of a recovery by guardians to its completion.
        emergency_delay: from getting the role EMERGENCY to its effect.
        max_consent_span: longest a consent may last, and furthest off it may begin.
        max_emergency: longest that emergency access may last.
    """

    recovery_delay: timedelta = timedelta(days=7)
    emergency_delay: timedelta = timedelta(days=1)
    max_consent_span: timedelta = timedelta(days=5 * 365)
    max_emergency: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class FounderAdmission:
    """The organisation that founds the consortium, and admits the next one alone.

    Attributes:
        signer: key of its account, which signs its admission.
        key: its X25519 public key, 32 bytes, not zero.
        profile: hash of its public profile.
        roles: its roles; it is a member whatever they say.
    """

    signer: Signer
    key: Digest
    profile: Digest
    roles: Role = Role.MEMBER


def deploy(
    network: Network,
    sender: Sender,
    founder: FounderAdmission,
    settings: DeploymentSettings | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Deployment:
    """Deploy every contract, and admit the founder.

    The Registry and the Consortium name each other, and neither can be changed afterwards: the
    Registry is told where the Consortium will stand, one transaction of `sender` later.

    Args:
        network: where to.
        sender: who pays; it has no power over the contracts. Nothing else may send from its key
            meanwhile.
        founder: the first member.
        settings: what is fixed for good; the defaults of `DeploymentSettings` unless given.
        progress: told how many contracts stand, of how many.

    Raises:
        ContractReverted: a constructor refused; what was deployed so far is of no use.
        TransportError: the node is out of reach or does not take a transaction.
    """
    settings = settings or DeploymentSettings()
    contracts: dict[str, DeployedContract] = {}

    def create(name: str, *arguments: Argument | bytes) -> Address:
        artifact = artifacts.load(name)
        contract = network.web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
        receipt = sender.send(contract.constructor(*arguments))
        if receipt.created is None:
            raise TransportError(f"the node says that {name} was deployed, but not where")
        contracts[name] = DeployedContract(
            address=receipt.created,
            deployer=sender.address,
            transaction=receipt.transaction,
            block=receipt.block.number,
            arguments=tuple(
                "0x" + each.hex() if isinstance(each, bytes) else each for each in arguments
            ),
        )
        if progress is not None:
            progress(len(contracts), len(artifacts.CONTRACTS))
        return receipt.created

    with translated():
        nonce = network.web3.eth.get_transaction_count(sender.address, "pending")
    registry = create(
        "Registry",
        address(get_create_address(sender.address, Nonce(nonce + 1))),
        _seconds(settings.recovery_delay),
        _seconds(settings.emergency_delay),
    )
    publication = typed(
        domain(network.chain_id, "Registry", registry),
        "Publication",
        account=founder.signer.address,
        key=founder.key,
        profile=founder.profile,
        nonce=0,
        deadline=seconds(network.clock() + _ADMISSION_LIFETIME),
    )
    create(
        "Consortium",
        registry,
        founder.signer.address,
        founder.signer.address,
        int(founder.roles | Role.MEMBER),
        founder.key,
        founder.profile,
        publication.message["deadline"],
        founder.signer.sign(publication),
    )
    create("Relationships", registry)
    create(
        "Consents",
        registry,
        _seconds(settings.max_consent_span),
        _seconds(settings.max_emergency),
    )
    create("Anchors", registry)
    return Deployment(
        chain_id=network.chain_id,
        genesis_hash=network.genesis_hash,
        contracts=MappingProxyType(contracts),
    )


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())
