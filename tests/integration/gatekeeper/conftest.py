"""A hospital's gatekeeper over real HTTP, with one patient enrolled and its records anchored.

Its database is SQLite's, and PostgreSQL's as well in the modules of ON_BOTH.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

import medaccord
from medaccord.chain import (
    Contracts,
    Deployment,
    FounderAdmission,
    Power,
    Role,
    Sender,
    actions,
    connect,
    deploy,
)
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.canonical import parse_object
from medaccord.gatekeeper import Gatekeeper, ImportReport
from medaccord.keys import LocalSigner, Signer
from medaccord.store import open_engine
from tests.databases import Databases
from tests.integration.conftest import KEY, PROFILE, admit
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.desk import Desk

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
BUNDLE = (Path(medaccord.__file__).parent / "demo" / "data" / "patient.json").read_bytes()
PATIENT_ID = "57b997b7-1e72-5ccc-82f6-ea3dd82eef2e"

# Where it matters what a database does; elsewhere the second one would show nothing new.
ON_BOTH = {
    *("test_audit", "test_crash", "test_enrolment", "test_group_commit", "test_importing"),
    *("test_inbox", "test_openings", "test_paging", "test_reading", "test_once"),
    *("test_notices", "test_two_processes"),
}

Opener = Callable[..., Gatekeeper]
Visit = Callable[[Gatekeeper], Desk]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that is made once: the chain, its people, and the hospital's files."""

    chain: EmbeddedChain
    deployment: Deployment
    contracts: Contracts
    sender: Sender
    hospital: LocalSigner
    clinician: LocalSigner
    server_key: LocalSigner
    patient: LocalSigner
    report: ImportReport
    folder: Path
    database_url: str


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        both = metafunc.module.__name__.rpartition(".")[2] in ON_BOTH
        kinds = ("sqlite", "postgresql") if both else ("sqlite",)
        metafunc.parametrize("kind", kinds, scope="session", indirect=True)


@pytest.fixture(scope="session")
def kind(request: pytest.FixtureRequest) -> str:
    """Which database the hospital's is."""
    return str(request.param)


def open_gatekeeper(
    world: World, folder: Path, database_url: str, cable: Cable, **settings: Any
) -> Gatekeeper:
    """A gatekeeper of the hospital, run by a delegate key that can neither read nor grant."""
    defaults: dict[str, Any] = {
        "network": cable.network(),
        "log_interval": timedelta(days=1),
        "retry_interval": timedelta(days=1),
    }
    return Gatekeeper.open(
        steward=world.hospital.address,
        signer=world.server_key,
        deployment=world.deployment,
        database_url=database_url,
        keys_folder=folder / "keys",
        **(defaults | settings),
    )


def delegate(
    contracts: Contracts, sender: Sender, account: LocalSigner, key: Signer, powers: Power
) -> None:
    action = actions.delegate(
        contracts,
        account=account.address,
        delegate=key.address,
        powers=powers,
        until=contracts.network.clock() + timedelta(days=365),
    )
    actions.submit(sender, actions.signed(action, account))


@pytest.fixture(scope="session")
def world(
    request: pytest.FixtureRequest, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("hospital")
    if kind == "sqlite":
        yield make_world(folder, f"sqlite:///{folder / 'records.db'}")
    else:
        on_server: Databases = request.getfixturevalue("postgresql")
        with on_server.database() as url:
            yield make_world(folder, url)


def make_world(folder: Path, database_url: str) -> World:
    chain = EmbeddedChain(wall=lambda: START)
    network = chain.network()
    sender = Sender(network, chain.funded_signer())
    hospital, clinician, patient = (LocalSigner.create() for _ in range(3))
    server_key = chain.funded_signer()
    founder = FounderAdmission(signer=hospital, key=KEY, profile=PROFILE, roles=Role.STEWARD)
    deployment = deploy(network, sender, founder)
    contracts = connect(network, deployment)
    admit(contracts, sender, hospital, clinician, Role.STEWARD | Role.EMERGENCY)
    chain.advance(timedelta(days=2))  # EMERGENCY takes effect a day after admission
    delegate(contracts, sender, hospital, server_key, Power.ANCHOR | Power.RELATE)
    gatekeeper = Gatekeeper.open(
        steward=hospital.address,
        signer=server_key,
        network=network,
        deployment=deployment,
        database_url=database_url,
        keys_folder=folder / "keys",
    )
    desk = Desk(url=gatekeeper.serve().url, contracts=contracts, steward=hospital.address)
    assert desk.enrol(patient, gatekeeper.enrolment.issue_code(PATIENT_ID)).status_code == 201
    assert desk.accept(patient).status_code == 200
    report = gatekeeper.import_bundle(BUNDLE, patient.address)
    desk.http.close()
    gatekeeper.close()
    return World(
        chain=chain,
        deployment=deployment,
        contracts=contracts,
        sender=sender,
        hospital=hospital,
        clinician=clinician,
        server_key=server_key,
        patient=patient,
        report=report,
        folder=folder,
        database_url=database_url,
    )


@pytest.fixture
def chain(world: World) -> Iterator[EmbeddedChain]:
    snapshot = world.chain.snapshot()
    yield world.chain
    world.chain.revert(snapshot)


@pytest.fixture
def cable(chain: EmbeddedChain) -> Cable:
    """The line of the gatekeeper to its node."""
    return Cable(chain)


@pytest.fixture
def folder(world: World, tmp_path: Path) -> Path:
    """The hospital's keys, and its database where that is SQLite's: this test's own."""
    return Path(shutil.copytree(world.folder, tmp_path / "hospital"))


@pytest.fixture
def database_url(
    request: pytest.FixtureRequest, world: World, kind: str, folder: Path
) -> Iterator[str]:
    """The hospital's database, this test's own."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'records.db'}"
    else:
        on_server: Databases = request.getfixturevalue("postgresql")
        with on_server.database(like=world.database_url) as url:
            yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    """The same, for a test to look into and to change behind the gatekeeper's back."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def opened(world: World, folder: Path, database_url: str, cable: Cable) -> Iterator[Opener]:
    """Opens the hospital's gatekeeper with settings of the test's own."""
    made: list[Gatekeeper] = []

    def make(**settings: Any) -> Gatekeeper:
        made.append(open_gatekeeper(world, folder, database_url, cable, **settings))
        return made[-1]

    yield make
    for gatekeeper in made:
        gatekeeper.close()


@pytest.fixture
def gatekeeper(opened: Opener) -> Gatekeeper:
    return opened()


@pytest.fixture
def visit(world: World) -> Iterator[Visit]:
    """Serves a gatekeeper, and goes to its desk."""
    made: list[Desk] = []

    def go(gatekeeper: Gatekeeper) -> Desk:
        url = gatekeeper.serve().url
        made.append(Desk(url=url, contracts=world.contracts, steward=world.hospital.address))
        return made[-1]

    yield go
    for desk in made:
        desk.http.close()


@pytest.fixture
def desk(gatekeeper: Gatekeeper, visit: Visit) -> Desk:
    return visit(gatekeeper)


@pytest.fixture
def contracts(world: World, chain: EmbeddedChain) -> Contracts:
    return world.contracts


@pytest.fixture
def sender(world: World, chain: EmbeddedChain) -> Sender:
    """Has money, and no power over anybody's account."""
    return world.sender


@pytest.fixture
def hospital(world: World) -> LocalSigner:
    """The steward, whose gatekeeper is tested."""
    return world.hospital


@pytest.fixture
def clinician(world: World) -> LocalSigner:
    """A clinic: an organisation that may ask, and read in emergencies."""
    return world.clinician


@pytest.fixture
def patient(world: World) -> LocalSigner:
    """Enrolled at the hospital, with an active relationship; never has any money."""
    return world.patient


@pytest.fixture
def stranger() -> LocalSigner:
    """Known to nobody."""
    return LocalSigner.create()


@pytest.fixture
def laboratory() -> list[str]:
    """Ids of the laboratory Observations in the patient's Bundle, sorted."""
    entries: Any = parse_object(BUNDLE)["entry"]
    found = []
    for entry in entries:
        resource = entry["resource"]
        codes = [
            coding["code"]
            for category in resource.get("category", ())
            if resource["resourceType"] == "Observation"
            for coding in category["coding"]
        ]
        if "laboratory" in codes:
            found.append(resource["id"])
    return sorted(found)
