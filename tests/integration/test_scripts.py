"""The scripts that Ape runs, each as a process of its own, in front of every kind of local node."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from medaccord.chain import Deployment, FounderAdmission, Network, Sender, deploy
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.identifiers import digest, hex_digest
from medaccord.keys import LocalSigner
from tests.e2e.commands import Person
from tests.integration.anvil import ANVIL, NEEDS_ANVIL, ROOT
from tests.integration.script_tale import FUNDED, KEY, Tale, account

OWN = "ethereum:local:test"
ALONE = Path(__file__).with_name("scripts_in_ape.py")
SECONDS = 300

pytestmark = pytest.mark.compiler


@dataclass(frozen=True, slots=True, kw_only=True)
class Ape:
    """Runs scripts as somebody at a machine of their own does, on one network.

    Attributes:
        network: as `--network` takes it.
        person: whose machine.
    """

    network: str
    person: Person = field(repr=False)

    def __call__(self, script: str, *options: str, code: int = 0) -> str:
        asked = self.command(script, *options)
        ended = subprocess.run(
            **asked,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        assert ended.returncode == code, ended.stdout + ended.stderr
        said: str = ended.stderr if code else ended.stdout
        return said

    def command(self, script: str, *options: str) -> dict[str, Any]:
        """What `subprocess` wants to run a script."""
        ape = Path(sys.executable).with_name("ape")
        found = self.person.command()["env"] | {"APE_DATA_FOLDER": str(self.person.home / "ape")}
        return {
            "args": [ape, "run", script, "--network", self.network, *options],
            "cwd": ROOT,
            "env": found,
            "start_new_session": True,  # away from a terminal that the tests may have
        }

    def typed(self, script: str, *options: str, answers: Sequence[tuple[str, str]]) -> str:
        """Run a script at a terminal, and answer each question by its end; what it said there."""
        ours, its = pty.openpty()
        process = subprocess.Popen(
            **self.command(script, *options), stdin=its, stdout=its, stderr=its
        )
        os.close(its)
        said, left, ends = b"", list(answers), time.monotonic() + SECONDS
        try:
            while process.poll() is None or select.select([ours], [], [], 0)[0]:
                assert time.monotonic() < ends, said
                if not select.select([ours], [], [], 0.1)[0]:
                    continue
                with suppress(OSError):  # the other end was closed
                    said += os.read(ours, 4096)
                    if left and said.endswith(f"{left[0][0]}: ".encode()):
                        os.write(ours, f"{left.pop(0)[1]}\n".encode())
                    continue
                break
            assert (process.wait(SECONDS), left) == (0, []), said
        finally:
            process.kill()
            process.wait()
            os.close(ours)
        return said.decode()


@pytest.fixture(scope="session")
def developer(tmp_path_factory: pytest.TempPathFactory) -> Person:
    """Has anvil on PATH."""
    settings = {"PATH": f"{ANVIL.parent}:{os.environ['PATH']}"}
    return Person(home=tmp_path_factory.mktemp("developer"), settings=settings)


@pytest.fixture(scope="session", params=["embedded", pytest.param("anvil", marks=NEEDS_ANVIL)])
def node(request: pytest.FixtureRequest, developer: Person) -> Iterator[str]:
    """The address of a node, on which Ape's accounts for tests have money."""
    funded = [option for index in FUNDED for option in ("--fund", account(index))]
    engine = ("--engine", request.param, "--port", "0")
    with developer.running("node", *engine, *funded) as running:
        yield running.url


@pytest.fixture(scope="session")
def on_own(developer: Person) -> Ape:
    """Ape's own test network, which every process has for itself."""
    return Ape(network=OWN, person=developer)


def test_scripts_carry_a_consent_from_deployment_to_revocation(
    node: str, developer: Person, tmp_path: Path
) -> None:
    ape = Ape(network=f"ethereum:local:{node}", person=developer)
    tale = Tale(start=ape, typed=ape.typed, network=Network.connect(node), folder=tmp_path)
    tale.tell()
    before = tale.record.read_bytes()
    who = ("--account", "TEST::0", "--founder", "TEST::1", "--name", "Hospital", "--key", KEY)
    said = tale.run("deploy", *who, code=1)
    assert "records a deployment on this chain: name another file" in said
    assert tale.record.read_bytes() == before


def test_scripts_carry_a_consent_on_apes_own_network_in_one_process(
    on_own: Ape, tmp_path: Path
) -> None:
    asked = on_own.command("") | {"args": [sys.executable, str(ALONE), str(tmp_path)]}
    ended = subprocess.run(**asked, capture_output=True, timeout=SECONDS, check=False)
    assert ended.returncode == 0, ended.stderr.decode()


def test_deploy_asks_for_what_is_missing_at_a_terminal(on_own: Ape, tmp_path: Path) -> None:
    record = tmp_path / "deployment.json"
    answers = [
        ("The account of whoever pays", "TEST::0"),
        ("The account of the founding organisation", "TEST::1"),
        ("Its X25519 public key, in hex", KEY),
        ("Name of the organisation", "Hospital"),
    ]
    on_own.typed("deploy", "--record", str(record), answers=answers)
    assert Deployment.load(record).chain_id == 1337


def test_scripts_do_not_ask_where_there_is_no_terminal(on_own: Ape) -> None:
    assert "Missing option '--account'" in on_own("deploy", code=2)


def test_audit_is_refused_on_apes_own_network_where_nothing_was_deployed(on_own: Ape) -> None:
    whose = ("--patient", "TEST::3", "--gatekeeper", "http://127.0.0.1:9")
    said = on_own("audit", *whose, code=1)
    assert "no contracts are on Ape's own test network" in said
    assert "medaccord node" in said


def test_revoke_is_refused_when_the_record_is_of_another_network(
    on_own: Ape, tmp_path: Path
) -> None:
    chain = EmbeddedChain()
    payer, network = chain.funded_signer(), chain.network()
    founder = FounderAdmission(signer=LocalSigner.create(), key=digest(KEY), profile=digest(KEY))
    record = tmp_path / "deployment.json"
    deploy(network, Sender(network, payer), founder).save(record)
    whose = ("--patient", "TEST::3", "--gatekeeper", "http://127.0.0.1:9", "--all")
    said = on_own("revoke_access", *whose, "--record", str(record), code=1)
    assert hex_digest(network.genesis_hash) in said
