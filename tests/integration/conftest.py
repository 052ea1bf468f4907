"""The actors and a deployment on an embedded chain; every test finds it as it was made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, delete

from medaccord.chain import (
    Contracts,
    Deployment,
    FounderAdmission,
    Network,
    Role,
    Sender,
    actions,
    connect,
    deploy,
)
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.identifiers import Digest, digest
from medaccord.keys import LocalSigner
from medaccord.store import open_engine, tables, writing
from tests import databases

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = digest(b"\x11" * 32)
PROFILE = digest(b"\x22" * 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A chain with our contracts, the founding hospital and one admitted clinic."""

    chain: EmbeddedChain
    network: Network
    deployment: Deployment
    contracts: Contracts
    sender: Sender
    hospital: LocalSigner
    clinician: LocalSigner


def admit(
    contracts: Contracts, sender: Sender, member: LocalSigner, new: LocalSigner, roles: Role
) -> None:
    """Let the only member admit an organisation."""
    motion = actions.Motion(
        kind=actions.Kind.ADMIT,
        account=new.address,
        roles=roles,
        key=KEY,
        profile=PROFILE,
        deadline=contracts.network.clock() + timedelta(hours=1),
    )
    approval = actions.approve(contracts, motion=motion, member=member.address)
    actions.submit(sender, actions.signed(approval, member))
    publication = actions.publish(
        contracts, account=new.address, key=KEY, profile=PROFILE, deadline=motion.deadline
    )
    execution = actions.execute(
        contracts,
        motion=motion,
        approvers=[member.address],
        publication=actions.signed(publication, new),
    )
    actions.submit(sender, execution)


@pytest.fixture(scope="module")
def made() -> Setting:
    chain = EmbeddedChain(wall=lambda: START)
    network = chain.network()
    sender = Sender(network, chain.funded_signer())
    hospital, clinician = LocalSigner.create(), LocalSigner.create()
    founder = FounderAdmission(signer=hospital, key=KEY, profile=PROFILE, roles=Role.STEWARD)
    deployment = deploy(network, sender, founder)
    contracts = connect(network, deployment)
    admit(contracts, sender, hospital, clinician, Role.STEWARD | Role.EMERGENCY)
    chain.advance(timedelta(days=2))  # EMERGENCY takes effect a day after admission
    return Setting(
        chain=chain,
        network=network,
        deployment=deployment,
        contracts=contracts,
        sender=sender,
        hospital=hospital,
        clinician=clinician,
    )


@pytest.fixture
def setting(made: Setting) -> Iterator[Setting]:
    snapshot = made.chain.snapshot()
    yield made
    made.chain.revert(snapshot)


@pytest.fixture
def chain(setting: Setting) -> EmbeddedChain:
    return setting.chain


@pytest.fixture
def network(setting: Setting) -> Network:
    return setting.network


@pytest.fixture
def contracts(setting: Setting) -> Contracts:
    return setting.contracts


@pytest.fixture
def sender(setting: Setting) -> Sender:
    """Has money, and no power over anybody's account."""
    return setting.sender


@pytest.fixture
def hospital(setting: Setting) -> LocalSigner:
    """The founding member, a steward."""
    return setting.hospital


@pytest.fixture
def clinician(setting: Setting) -> LocalSigner:
    """A clinic that was admitted as a steward, and for emergencies."""
    return setting.clinician


@pytest.fixture
def patient() -> LocalSigner:
    """Never has any money."""
    return LocalSigner.create()


@pytest.fixture
def stranger() -> LocalSigner:
    """Known to nobody."""
    return LocalSigner.create()


@pytest.fixture
def terms() -> Digest:
    """A commitment to some terms."""
    return digest(b"\x33" * 32)


LEDGER = (
    tables.ledger_event,
    tables.ledger_block,
    tables.ledger_chain,
    tables.pending_revocation,
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """One database of each kind for a module: making the tables takes longer than most tests."""
    if request.param == "sqlite":
        engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('database') / 'ledger.db'}")
        yield engine
        engine.dispose()
    else:
        server: databases.Databases = request.getfixturevalue("postgresql")
        with server.database() as url:
            engine = open_engine(url)
            yield engine
            engine.dispose()


@pytest.fixture
def engine(ledger_database: Engine) -> Engine:
    """A database without a ledger in it: once SQLite, once PostgreSQL."""
    with writing(ledger_database) as connection:
        for table in LEDGER:
            connection.execute(delete(table))
    return ledger_database
