"""A hospital's machine: `medaccord serve` as processes of their own, in front of a real node."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

import medaccord
from medaccord.chain import Contracts
from medaccord.client import Patient, VerifiedLog
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import Keystore, LocalSigner, Passphrase
from tests.integration.anvil import ETHER, Anvil, running
from tests.integration.client.middle import Middle
from tests.integration.conftest import Setting
from tests.integration.gatekeeper.desk import Desk
from tests.integration.ledger_on_anvil import deployed

WORDS = "four words are enough"
BUNDLE = Path(medaccord.__file__).parent / "demo" / "data" / "patient.json"
PATIENT_ID = "57b997b7-1e72-5ccc-82f6-ea3dd82eef2e"
LIGHT = 2**12
"""Work of scrypt: keys of a test need not last."""

_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Service:
    """One `medaccord serve` that answers.

    Attributes:
        told: what it said when it was ready.
        process: the process.
        log: where its log goes.
    """

    told: dict[str, Any]
    process: subprocess.Popen[str]
    log: Path

    @property
    def url(self) -> str:
        return str(self.told["url"])

    def lines(self) -> list[dict[str, Any]]:
        """The lines of its log; fails on one that is no JSON object."""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def end(self, signal: int) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(signal)
        return self.process.wait(_SECONDS)


@dataclass(slots=True, kw_only=True)
class Hospital:
    """The machine, the chain beside it, and a patient who has accepted and has records.

    Attributes:
        home: where everything is.
        settings: the environment of its commands.
        node: the chain's node.
        setting: contracts and organisations.
        patient: enrolled, with records that are anchored.
    """

    home: Path
    settings: dict[str, str]
    node: Anvil
    setting: Setting
    patient: LocalSigner
    _services: list[Service] = field(default_factory=list)
    _desks: list[Desk] = field(default_factory=list)

    @property
    def contracts(self) -> Contracts:
        return self.setting.contracts

    def command(self, *arguments: str, **settings: str) -> dict[str, Any]:
        """What `subprocess` wants to run a command here."""
        ours = ("MEDACCORD_", "XDG_CONFIG_HOME")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        found = {"HOME": str(self.home), "PYTHONPATH": str(Path(medaccord.__file__).parents[1])}
        return {
            "args": [sys.executable, "-m", "medaccord", *arguments],
            "cwd": self.home,
            "env": kept | self.settings | found | settings,
            "stdin": subprocess.DEVNULL,
            "encoding": "utf-8",
        }

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        asked = self.command(*arguments, **settings)
        return subprocess.run(**asked, capture_output=True, timeout=_SECONDS, check=False)

    def serve(self, *arguments: str, **settings: str) -> Service:
        """Start a gatekeeper on a free port, and wait until it answers."""
        log = self.home / f"log{len(self._services)}"
        flags = ("serve", "--port", "0", "--json", *arguments)
        with log.open("wb") as errors:
            process = subprocess.Popen(
                **self.command(*flags, **settings), stdout=subprocess.PIPE, stderr=errors
            )
        assert process.stdout is not None
        said = process.stdout.readline()
        process.stdout.close()
        if not said:
            process.wait(_SECONDS)
            raise AssertionError(log.read_text(encoding="utf-8"))
        self._services.append(Service(json.loads(said), process, log))
        return self._services[-1]

    def desk(self, service: Service) -> Desk:
        hospital = self.setting.hospital.address
        where = service.told["listening"]
        self._desks.append(Desk(url=where, contracts=self.contracts, steward=hospital))
        return self._desks[-1]

    def audit(self, service: Service) -> VerifiedLog:
        """The patient's log as its own software shows it, which checks it first."""
        proxy, here = Middle(), httpx.URL(service.told["listening"])
        proxy.redirect = lambda url: url.copy_with(scheme="http", host=here.host, port=here.port)
        with (
            proxy.client() as http,
            Patient(self.patient, self.contracts, service.url, http=http) as client,
        ):
            return client.audit.verify()

    def kill(self) -> None:
        """End whatever still runs."""
        for each in self._services:
            each.process.kill()
            each.process.wait()
        for desk in self._desks:
            desk.http.close()


@contextmanager
def hospital(home: Path, database_url: str, **extra: str) -> Iterator[Hospital]:
    """Set a hospital up in a folder; nothing of it serves yet."""
    words = home / "passphrase"
    words.write_text(WORDS, encoding="utf-8")
    words.chmod(0o600)
    with running() as node:
        setting = deployed(node)
        steward, patient = setting.hospital, LocalSigner.create()
        node.fund(steward.address, 100 * ETHER)
        Keystore(home / "keystore", cost=LIGHT).add(steward, Passphrase.from_file(words))
        setting.deployment.save(home / "deployment.json")
        settings = {
            "MEDACCORD_RPC_URL": node.url,
            "MEDACCORD_RECORD": str(home / "deployment.json"),
            "MEDACCORD_DATABASE_URL": database_url,
            "MEDACCORD_KEYS_FOLDER": str(home / "keys"),
            "MEDACCORD_KEYSTORE": str(home / "keystore"),
            "MEDACCORD_PASSPHRASE_FILE": str(words),
            "MEDACCORD_ACCOUNT": steward.address,
            "MEDACCORD_POLL_INTERVAL": "0",
            "MEDACCORD_DRAIN_TIME": "0",
        }
        place = Hospital(
            home=home,
            settings=settings | extra,
            node=node,
            setting=setting,
            patient=patient,
        )
        _with_records(place, database_url)
        try:
            yield place
        finally:
            place.kill()


def _with_records(place: Hospital, database_url: str) -> None:
    gatekeeper = Gatekeeper.open(
        steward=place.setting.hospital.address,
        signer=place.setting.hospital,
        network=place.setting.network,
        deployment=place.setting.deployment,
        database_url=database_url,
        keys_folder=place.home / "keys",
    )
    try:
        server = gatekeeper.serve()
        with Patient(place.patient, place.contracts, server.url) as client:
            client.relationships.enrol(gatekeeper.enrolment.issue_code(PATIENT_ID))
            client.relationships.accept()
        gatekeeper.import_bundle(BUNDLE.read_bytes(), place.patient.address)
    finally:
        gatekeeper.close()


def until(what: Any, *, seconds: float = 30) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends, "it did not come about in time"
        time.sleep(0.05)


def reading(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers of a request that asks the chain this moment."""
    return {**headers, "Medaccord-Freshness": "latest"}
