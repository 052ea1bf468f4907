"""Hospital A's gatekeeper over real HTTP, its people, and the clients they use."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from medaccord.chain import Contracts, Role
from medaccord.chain.actions import Kind
from medaccord.chain.embedded import EmbeddedChain
from medaccord.client import Consortium, Patient, Provider, ReleasedRecord
from medaccord.client.visitor import Visitor
from medaccord.core.identifiers import Address, ConsentId
from medaccord.core.purposes import Purpose
from medaccord.core.scopes import Scope
from medaccord.core.terms import Terms
from medaccord.demo import sample_bundle
from medaccord.demo.stage import (
    Hospital,
    Stage,
    build,
    name_gatekeeper_key,
    open_hospital,
)
from medaccord.fhir import read_bundle
from medaccord.keys import LocalSigner, Seed, Signer
from tests.integration.client.middle import Middle
from tests.integration.gatekeeper.desk import salt
from tests.unit.fhir import samples

LABORATORY = Scope.parse("patient/Observation.rs?category=laboratory")
MEDICATION = Scope.parse("patient/MedicationRequest.rs")
EVERYTHING = Scope.parse("patient/*.rs")

_Who = TypeVar("_Who", bound=Visitor)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is made once: the chain, hospital A's files, and two patients' records in them."""

    stage: Stage
    folder: Path
    gatekeeper_key: LocalSigner
    patient: LocalSigner
    neighbour: LocalSigner
    consent: ConsentId


def terms(stage: Stage, *scopes: Scope, purpose: Purpose = Purpose.TREAT) -> Terms:
    return Terms(
        stewards=(stage.contracts.account_id(stage.a.account),),
        scopes=scopes,
        purposes=(purpose,),
        include_undated=True,
        salt=salt(),
    )


def admit(stage: Stage) -> None:
    """Admit hospital A as the second member, then B and C by both."""
    founder = Consortium(stage.founder.signer, stage.contracts, stage.founder.sender)
    a = Consortium(stage.a.signer, stage.contracts, stage.a.sender)
    members: list[Consortium] = [founder]
    for organisation, roles in (
        (stage.a, Role.MEMBER | Role.STEWARD),
        (stage.b, Role.STEWARD),
        (stage.c, Role.EMERGENCY),
    ):
        wish = stage.admission(organisation)
        motion = founder.propose(Kind.ADMIT, admission=wish, roles=roles)
        for member in members:
            member.approve(motion)
        founder.execute(motion, admission=wish)
        if organisation is stage.a:
            members.append(a)
    stage.chain.advance(timedelta(days=1, seconds=1))


def neighbours_bundle() -> bytes:
    """Records of another patient of hospital A."""
    return samples.data(
        samples.patient(),
        samples.observation(
            category=[{"coding": [{"code": "laboratory"}]}], valueQuantity={"value": 1}
        ),
    )


def read(reader: Provider, name: str, patient: Patient) -> ReleasedRecord:
    """Read one record by its name, ``Type/id``."""
    kind, _, identity = name.partition("/")
    return reader.records.read(kind, identity, patient.account)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    stage = build()
    admit(stage)
    gatekeeper_key = stage.chain.funded_signer()
    name_gatekeeper_key(stage, gatekeeper_key)
    folder = tmp_path_factory.mktemp("hospital")
    signers = Seed.create().account(0), Seed.create().account(0)
    with ExitStack() as until_made:
        hospital = until_made.enter_context(open_hospital(stage, gatekeeper_key, folder))
        patient, neighbour = (
            until_made.enter_context(Patient(signer, stage.contracts, hospital.url))
            for signer in signers
        )
        for each, bundle in ((patient, sample_bundle()), (neighbour, neighbours_bundle())):
            code = hospital.gatekeeper.enrolment.issue_code(read_bundle(bundle).patient_id)
            each.relationships.enrol(code)
            each.relationships.accept()
            hospital.gatekeeper.import_bundle(bundle, each.account)
            now = stage.network.clock().replace(microsecond=0)
            granted = each.consents.offer(
                stage.b.account,
                terms(stage, LABORATORY),
                valid_from=now,
                valid_until=now + timedelta(days=30),
            )
            if each is patient:
                consent = granted.id
        b = until_made.enter_context(Provider(stage.b.signer, stage.contracts, hospital.url))
        for account in (patient.account, neighbour.account) * 3:
            b.records.search("Observation", account)  # lines for the logs
        hospital.gatekeeper.audit.anchor()
    return World(
        stage=stage,
        folder=folder,
        gatekeeper_key=gatekeeper_key,
        patient=signers[0],
        neighbour=signers[1],
        consent=consent,
    )


@pytest.fixture
def stage(world: World) -> Iterator[Stage]:
    snapshot = world.stage.chain.snapshot()
    yield world.stage
    world.stage.chain.revert(snapshot)


@pytest.fixture
def chain(stage: Stage) -> EmbeddedChain:
    return stage.chain


@pytest.fixture
def contracts(stage: Stage) -> Contracts:
    return stage.contracts


@pytest.fixture
def hospital(world: World, stage: Stage, tmp_path: Path) -> Iterator[Hospital]:
    """Hospital A at work, on files of this test's own."""
    folder = Path(shutil.copytree(world.folder, tmp_path / "hospital"))
    with open_hospital(stage, world.gatekeeper_key, folder) as opened:
        yield opened


@pytest.fixture
def middle() -> Iterator[Middle]:
    """Between the clients and the gatekeeper; passes everything on until told otherwise."""
    with Middle() as made:
        yield made


Visit = Callable[..., Any]


@pytest.fixture
def visit(hospital: Hospital, contracts: Contracts, middle: Middle) -> Iterator[Visit]:
    """Makes clients that speak through the one in the middle."""
    with ExitStack() as until_the_end:
        http = until_the_end.enter_context(middle.client())

        def visit(kind: type[_Who], signer: Signer, account: Address | None = None) -> _Who:
            return kind(signer, contracts, hospital.url, account=account, http=http)

        yield visit


@pytest.fixture
def patient(world: World, visit: Visit) -> Patient:
    """Enrolled at hospital A; lets B read the laboratory Observations."""
    made: Patient = visit(Patient, world.patient)
    return made


@pytest.fixture
def neighbour(world: World, visit: Visit) -> Patient:
    """Another patient of hospital A, who lets B read the same."""
    made: Patient = visit(Patient, world.neighbour)
    return made


@pytest.fixture
def clinician(stage: Stage, visit: Visit) -> Provider:
    """At hospital B, which may read the laboratory Observations."""
    made: Provider = visit(Provider, stage.b.signer)
    return made


@pytest.fixture
def ambulance(stage: Stage, visit: Visit) -> Provider:
    """At emergency department C, which has no consent."""
    made: Provider = visit(Provider, stage.c.signer)
    return made


@pytest.fixture
def members(stage: Stage) -> list[Consortium]:
    """The two that decide: the founder, and hospital A."""
    return [
        Consortium(each.signer, stage.contracts, each.sender) for each in (stage.founder, stage.a)
    ]


@pytest.fixture
def stranger() -> LocalSigner:
    """Known to nobody."""
    return LocalSigner.create()


@pytest.fixture
def laboratory() -> list[str]:
    """Names of the laboratory Observations in the patient's Bundle."""
    return sorted(
        resource.record
        for resource in read_bundle(sample_bundle()).resources
        if resource.type == "Observation" and b'"laboratory"' in resource.canonical()
    )
