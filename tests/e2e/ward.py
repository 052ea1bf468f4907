"""A network for the commands of hospitals: a node in a process, two hospitals, and a patient.

Hospital A keeps records, and its gatekeeper runs here. Hospital B asks, and opens emergencies.
Everybody has a home folder of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import medaccord
from medaccord.chain import Contracts, Deployment, Network, connect
from medaccord.client import Patient, Provider
from medaccord.core.identifiers import Address
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import Keystore, LocalSigner, Passphrase
from tests.e2e.commands import WORDS, Person, Service

LIGHT = 2**12
"""Work of scrypt: keys of a test need not last."""

BUNDLE = Path(medaccord.__file__).parent / "demo" / "data" / "patient.json"
PATIENT_ID = "57b997b7-1e72-5ccc-82f6-ea3dd82eef2e"
KEY = "0x" + 32 * "11"
LABORATORY = "patient/Observation.rs?category=laboratory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Somebody at a machine of their own.

    Attributes:
        person: at the machine.
        signer: the key in its keystore.
    """

    person: Person
    signer: LocalSigner

    @property
    def account(self) -> Address:
        return self.signer.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Ward:
    """Everybody, and what they have to do with.

    Attributes:
        node: runs in a process of its own.
        contracts: as everybody has them.
        gatekeeper: hospital A's.
        url: where that answers.
        a: hospital A.
        b: hospital B.
        patient: enrolled at A, with records that are anchored.
        stranger: has a key, and is nobody.
        motion: what `org propose` said when A proposed to admit B.
        wish: the file that B signed for it.
        admitted: what `org show` said of B right after.
    """

    node: Service
    contracts: Contracts
    gatekeeper: Gatekeeper
    url: str
    a: Seat
    b: Seat
    patient: Seat
    stranger: Seat
    motion: dict[str, object]
    wish: Path
    admitted: dict[str, object]

    def now(self) -> datetime:
        return datetime.now(UTC).replace(microsecond=0)

    def consent(self, *scopes: str) -> None:
        """Let B read, for an hour."""
        with Patient(self.patient.signer, self.contracts, self.url) as patient:
            terms = patient.consents.terms(*scopes, include_undated=True)
            until = self.now() + timedelta(hours=1)
            patient.consents.offer(self.b.account, terms, valid_until=until)

    def provider(self) -> Provider:
        """Hospital B's own software, beside its commands."""
        return Provider(self.b.signer, self.contracts, self.url)


def _seat(home: Path, **settings: str) -> Seat:
    home.mkdir()
    signer, person = LocalSigner.create(), Person(home=home, settings=settings)
    store = Keystore(person.program_folder / "keystore", cost=LIGHT)
    store.add(signer, Passphrase(WORDS.encode()))
    person.settings.update(
        MEDACCORD_KEYSTORE=str(person.program_folder / "keystore"),
        MEDACCORD_WALLET=str(person.program_folder / "wallet"),
        MEDACCORD_ACCOUNT=signer.address,
        MEDACCORD_PASSPHRASE_FILE=person.passphrase_file,
    )
    return Seat(person=person, signer=signer)


@contextmanager
def ward(home: Path) -> Iterator[Ward]:
    """Build it, by the commands where there are some."""
    seats = {name: _seat(home / name) for name in ("a", "b", "patient", "stranger")}
    a, b = seats["a"], seats["b"]
    paying = ("--fund", a.account, "--fund", b.account, "--fund", seats["stranger"].account)
    (home / "node").mkdir()
    with Person(home=home / "node").running("node", "--port", "0", *paying) as node:
        record = home / "deployment.json"
        for seat in seats.values():
            seat.person.settings["MEDACCORD_RPC_URL"] = node.url
        a.person.done(
            *("deploy", "--name", "Hospital A", "--role", "steward", "--key", KEY),
            *("--emergency-delay", "0", "--out", str(record)),
        )
        for seat in seats.values():
            seat.person.settings["MEDACCORD_RECORD"] = str(record)
        wish = home / "wish.json"
        b.person.done("org", "wish", str(wish), "--name", "Hospital B")
        roles = ("--role", "steward", "--role", "emergency", "--role", "member")
        motion = a.person.done("org", "propose", "admit", "--wish", str(wish), *roles)
        a.person.done("org", "execute", motion["motion"], "--wish", str(wish))
        admitted = b.person.done("org", "show", b.account)
        network = Network.connect(node.url)
        gatekeeper = _gatekeeper(a, network, record)
        try:
            url = gatekeeper.serve().url
            for seat in seats.values():
                seat.person.settings["MEDACCORD_GATEKEEPER"] = url
            contracts = connect(network, Deployment.load(record))
            _enrol(seats["patient"].signer, contracts, gatekeeper, url)
            yield Ward(
                node=node,
                contracts=contracts,
                gatekeeper=gatekeeper,
                url=url,
                a=a,
                b=b,
                patient=seats["patient"],
                stranger=seats["stranger"],
                motion=motion,
                wish=wish,
                admitted=admitted,
            )
        finally:
            gatekeeper.close()


def _gatekeeper(a: Seat, network: Network, record: Path) -> Gatekeeper:
    folder = a.person.home / "steward"
    folder.mkdir()
    a.person.settings.update(
        MEDACCORD_DATABASE_URL=f"sqlite:///{folder / 'records.db'}",
        MEDACCORD_KEYS_FOLDER=str(folder / "keys"),
    )
    return Gatekeeper.open(
        steward=a.account,
        signer=a.signer,
        network=network,
        deployment=Deployment.load(record),
        database_url=a.person.settings["MEDACCORD_DATABASE_URL"],
        keys_folder=folder / "keys",
    )


def _enrol(patient: LocalSigner, contracts: Contracts, gatekeeper: Gatekeeper, url: str) -> None:
    with Patient(patient, contracts, url) as client:
        client.relationships.enrol(gatekeeper.enrolment.issue_code(PATIENT_ID))
        client.relationships.accept()
    gatekeeper.import_bundle(BUNDLE.read_bytes(), patient.address)
    gatekeeper.matching.bring_up()  # as it does by itself every half minute


def json_lines(path: Path) -> list[dict[str, object]]:
    """What an NDJSON file holds."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
