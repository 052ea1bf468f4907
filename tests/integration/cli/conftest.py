"""A node, hospital A's gatekeeper, and people at machines of their own who type commands.

Commands run in this process by the same entry as `medaccord`; node and gatekeeper are reached over
HTTP alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from medaccord.chain import (
    Contracts,
    DeploymentSettings,
    FounderAdmission,
    Role,
    connect,
    deploy,
)
from medaccord.chain.actions import Kind
from medaccord.chain.rpc_server import RpcServer
from medaccord.client import Consortium, Patient, Provider
from medaccord.core.identifiers import Address, hex_digest
from medaccord.demo.stage import (
    Hospital,
    Organisation,
    Stage,
    build,
    name_gatekeeper_key,
    open_hospital,
)
from medaccord.gatekeeper.server import bind, serve
from medaccord.keys import Keystore, LocalSigner, Passphrase, Wallet
from tests.e2e.commands import WORDS, Person

LIGHT = 2**12
"""Work of scrypt: keys of a test need not last."""

LABORATORY = "patient/Observation.rs?category=laboratory"
MEDICATION = "patient/MedicationRequest.rs"
RECOVERY_DELAY = timedelta(seconds=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ward:
    """What everybody shares.

    Attributes:
        stage: the chain, and hospitals A, B and C, admitted.
        hospital: hospital A's gatekeeper.
        node: where the chain answers.
        record: of the deployment.
    """

    stage: Stage
    hospital: Hospital
    node: str
    record: Path

    @property
    def contracts(self) -> Contracts:
        return self.stage.contracts

    @property
    def url(self) -> str:
        return self.hospital.url

    def controller(self, account: Address) -> str:
        """Who controls an account now."""
        return str(self.contracts.call("Registry", "controllerOf", account))

    def code(self) -> str:
        """A one-time code of hospital A, for whoever comes."""
        return self.hospital.gatekeeper.enrolment.issue_code("somebody")

    def provider(self, organisation: Organisation) -> Provider:
        return Provider(organisation.signer, self.contracts, self.url)

    def person(self, home: Path) -> Person:
        """Somebody with a passphrase and nothing else."""
        home.mkdir(parents=True, exist_ok=True)
        person = Person(home=home)
        person.settings.update(
            {
                "MEDACCORD_RPC_URL": self.node,
                "MEDACCORD_RECORD": str(self.record),
                "MEDACCORD_GATEKEEPER": self.url,
                "MEDACCORD_PASSPHRASE_FILE": person.passphrase_file,
                "MEDACCORD_WALLET": str(person.program_folder / "wallet"),
            }
        )
        return person


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Somebody with a wallet.

    Attributes:
        person: at their machine.
        wallet: theirs.
        ward: where they are a patient, or may become one.
    """

    person: Person
    wallet: Wallet
    ward: Ward

    @property
    def account(self) -> Address:
        """The only one they have."""
        (only,) = self.wallet.accounts()
        return only.account

    def asked_by_b(self, *scopes: str) -> str:
        """Hospital B asks for something; the name of the request."""
        with self.ward.provider(self.ward.stage.b) as b:
            sent = b.requests.send(
                self.account,
                b.requests.terms(*(scopes or (LABORATORY, MEDICATION))),
                valid_until=self.ward.stage.network.clock() + timedelta(days=30),
            )
        return hex_digest(sent.digest)

    def pays_with(self) -> tuple[str, str]:
        """A key of the keystore that has money, as an option."""
        payer, eth = self.ward.stage.chain.funded_signer(), self.ward.stage.network.web3.eth
        ends = time.monotonic() + 30
        while not eth.get_balance(payer.address):  # a block comes once a second
            assert time.monotonic() < ends, "no money came"
            time.sleep(0.05)
        return "--payer", self._keeps(payer)

    def as_hospital(self) -> tuple[str, str]:
        """Hospital A's key in the keystore, as an option."""
        return "--account", self._keeps(self.ward.stage.a.signer)

    def _keeps(self, key: LocalSigner) -> Address:
        store = Keystore(self.person.program_folder / "keystore", cost=LIGHT)
        return store.add(key, Passphrase(WORDS.encode()))


MakeOwner = Callable[[str], Owner]


@pytest.fixture(scope="session")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    folder = tmp_path_factory.mktemp("ward")
    stage, listener = _stage(), bind()
    key = stage.chain.funded_signer()
    name_gatekeeper_key(stage, key)
    node = serve(RpcServer(stage.chain.answer), listener)
    stage.deployment.save(folder / "record.json")
    try:
        with (
            stage.chain.mining_on_time(),
            open_hospital(stage, key, folder) as hospital,
        ):
            yield Ward(stage=stage, hospital=hospital, node=node.url, record=folder / "record.json")
    finally:
        node.stop()
        listener.close()


def _stage() -> Stage:
    """A stage whose delays are seconds at most: commands go by the clock on the wall."""
    built = build()
    deployment = deploy(
        built.network,
        built.founder.sender,
        FounderAdmission(
            signer=built.founder.signer,
            key=built.founder.key,
            profile=built.founder.profile.hash,
            roles=Role.MEMBER,
        ),
        DeploymentSettings(recovery_delay=RECOVERY_DELAY, emergency_delay=timedelta()),
    )
    stage = replace(built, deployment=deployment, contracts=connect(built.network, deployment))
    founder = Consortium(stage.founder.signer, stage.contracts, stage.founder.sender)
    for organisation, roles in (
        (stage.a, Role.STEWARD),
        (stage.b, Role.STEWARD),
        (stage.c, Role.EMERGENCY),
    ):
        wish = stage.admission(organisation)
        motion = founder.propose(Kind.ADMIT, admission=wish, roles=roles)
        founder.approve(motion)
        founder.execute(motion, admission=wish)
    return stage


def made(ward: Ward, home: Path) -> Owner:
    """Somebody with an empty wallet."""
    person = ward.person(home)
    path = Path(person.settings["MEDACCORD_WALLET"])
    path.parent.mkdir(parents=True)
    wallet = Wallet.create(path, Passphrase(WORDS.encode()), cost=LIGHT)
    return Owner(person=person, wallet=wallet, ward=ward)


def enrolled(who: Owner) -> Owner:
    """The same, once hospital A keeps records for them."""
    ward = who.ward
    held = who.wallet.new_account(gatekeeper=ward.url)
    with Patient(who.wallet.signer(held.account), ward.contracts, ward.url) as client:
        client.relationships.enrol(ward.code())
        client.relationships.accept()
    who.wallet.used(held.account, steward=ward.stage.a.account, gatekeeper=ward.url)
    return who


@pytest.fixture
def owner(ward: Ward, tmp_path: Path) -> MakeOwner:
    """Makes people with empty wallets."""
    return lambda name: made(ward, tmp_path / name)


@pytest.fixture
def newcomer(owner: MakeOwner) -> Owner:
    """Has a wallet, and stands nowhere on the chain."""
    return owner("newcomer")


@pytest.fixture
def patient(owner: MakeOwner) -> Owner:
    """Is enrolled at hospital A, and has accepted."""
    return enrolled(owner("patient"))


@pytest.fixture(scope="session")
def resident(ward: Ward, tmp_path_factory: pytest.TempPathFactory) -> Owner:
    """The same, for all who are refused: nothing is changed for them."""
    return enrolled(made(ward, tmp_path_factory.mktemp("resident") / "home"))
