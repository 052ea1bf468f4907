"""The stage: a chain in this process, the cast with their keys, and hospital A's gatekeeper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from medaccord.chain import (
    Contracts,
    Deployment,
    FounderAdmission,
    Network,
    Power,
    Receipt,
    Role,
    Sender,
    actions,
    connect,
    deploy,
)
from medaccord.chain.embedded import EmbeddedChain
from medaccord.client import Admission
from medaccord.core.identifiers import AccountId, Address, Digest, digest
from medaccord.core.profiles import OrganisationProfile
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """One organisation of the cast.

    Attributes:
        name: What it is called.
        signer: Key of its account.
        sender: Pays for its transactions.
        key: Its X25519 public key.
        profile: Its public profile.
    """

    name: str
    signer: LocalSigner
    sender: Sender
    key: Digest
    profile: OrganisationProfile

    @property
    def account(self) -> Address:
        """Its account."""
        return self.signer.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything the story needs before it begins.

    Attributes:
        chain: The chain.
        network: A connection to it.
        deployment: The record of the contracts.
        contracts: The contracts.
        founder: The health authority that founds the consortium.
        a: Hospital A, which will keep the records.
        b: Hospital B, which will ask for them.
        c: Emergency department C.
    """

    chain: EmbeddedChain
    network: Network
    deployment: Deployment
    contracts: Contracts
    founder: Organisation
    a: Organisation
    b: Organisation
    c: Organisation

    def admission(self, organisation: Organisation) -> Admission:
        """The organisation's own wish to be admitted, signed."""
        return Admission.sign(
            self.contracts,
            organisation.signer,
            key=organisation.key,
            profile=organisation.profile.hash,
        )


def build() -> Stage:
    """Start a chain, make the cast's keys, deploy the contracts and admit the founder."""
    chain = EmbeddedChain()
    network = chain.network()

    def organisation(name: str) -> Organisation:
        signer = chain.funded_signer()
        public = X25519PrivateKey.generate().public_key().public_bytes_raw()
        account = AccountId(chain_id=network.chain_id, address=signer.address)
        return Organisation(
            name=name,
            signer=signer,
            sender=Sender(network, signer),
            key=digest(public),
            profile=OrganisationProfile(account=account, name=name),
        )

    founder = organisation("Health Authority")
    deployment = deploy(
        network,
        founder.sender,
        FounderAdmission(
            signer=founder.signer,
            key=founder.key,
            profile=founder.profile.hash,
            roles=Role.MEMBER,
        ),
    )
    return Stage(
        chain=chain,
        network=network,
        deployment=deployment,
        contracts=connect(network, deployment),
        founder=founder,
        a=organisation("Hospital A"),
        b=organisation("Hospital B"),
        c=organisation("Emergency Department C"),
    )


def name_gatekeeper_key(stage: Stage, key: LocalSigner) -> Receipt:
    """Let the gatekeeper's key log and propose for hospital A, and nothing more, for a year."""
    action = actions.delegate(
        stage.contracts,
        account=stage.a.account,
        delegate=key.address,
        powers=Power.ANCHOR | Power.RELATE,
        until=stage.network.clock() + timedelta(days=365),
    )
    return actions.submit(stage.a.sender, action)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hospital:
    """Hospital A at work.

    Attributes:
        gatekeeper: Its gatekeeper.
        url: Where it answers.
        database: URL of its database.
        keys: Folder of its patients' keys.
    """

    gatekeeper: Gatekeeper
    url: str
    database: str
    keys: Path


@contextmanager
def open_hospital(stage: Stage, key: LocalSigner, folder: Path) -> Iterator[Hospital]:
    """Run hospital A's gatekeeper, a real HTTP server on a free loopback port.

    Args:
        stage: The chain it follows. The profiles of those admitted are published.
        key: The gatekeeper's own key.
        folder: Where it keeps its database and, apart from that, its keys.
    """
    database, keys = f"sqlite:///{folder / 'records.db'}", folder / "keys"
    gatekeeper = Gatekeeper.open(
        steward=stage.a.account,
        signer=key,
        network=stage.network,
        deployment=stage.deployment,
        database_url=database,
        keys_folder=keys,
    )
    try:
        url = gatekeeper.serve().url
        for organisation in (stage.founder, stage.a, stage.b, stage.c):
            if stage.contracts.call("Registry", "isActiveOrganisation", organisation.account):
                gatekeeper.directory.publish(organisation.profile.document())
        yield Hospital(gatekeeper=gatekeeper, url=url, database=database, keys=keys)
    finally:
        gatekeeper.close()
