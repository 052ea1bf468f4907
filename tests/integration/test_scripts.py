"""The scripts that Ape runs, one after another against a node of its own."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from eth_account import Account

from medaccord.chain.deployment import Contracts, Deployment, connect
from medaccord.chain.network import Network
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import AccountId, Address, Digest, address, digest
from medaccord.core.profiles import OrganisationProfile
from medaccord.core.terms import Terms

ROOT = Path(__file__).resolve().parents[2]
ANVIL = ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
CHAIN_ID = 1337
KEY = "0x" + 32 * "11"
# The accounts that both Ape and anvil make for tests; TEST::0 pays throughout.
WORDS = "test test test test test test test test test test test junk"
HOSPITAL, CLINIC, PATIENT = 1, 2, 3

pytestmark = [
    pytest.mark.compiler,
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"),
        reason="npm carries the local node for Linux on x86-64 only",
    ),
]


def account(index: int) -> Address:
    Account.enable_unaudited_hdwallet_features()
    path = f"m/44'/60'/0'/0/{index}"
    return address(Account.from_mnemonic(WORDS, account_path=path).address)


def profile(folder: Path, name: str, index: int) -> str:
    path = folder / f"{name}.json"
    identity = AccountId(chain_id=CHAIN_ID, address=account(index))
    document = OrganisationProfile(account=identity, name=name).document()
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripts:
    """Runs scripts against one node, with one record of one deployment."""

    url: str
    folder: Path
    record: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "record", self.folder / "deployment.json")

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        network = ["--network", f"ethereum:local:{self.url}"]
        ape = Path(sys.executable).with_name("ape")
        return subprocess.run(
            [ape, "run", script, *network, "--record", self.record, *arguments],
            cwd=ROOT,
            env={**os.environ, "APE_DATA_FOLDER": str(self.folder / "ape")},
            capture_output=True,
            text=True,
            check=False,
        )

    def done(self, script: str, *arguments: str) -> str:
        answer = self.run(script, *arguments)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    def deploy(self) -> None:
        founder = profile(self.folder, "hospital", HOSPITAL)
        who = ("--account", "TEST::0", "--founder", f"TEST::{HOSPITAL}")
        self.done("deploy", *who, "--key", KEY, "--profile", founder, "--role", "steward")

    def contracts(self) -> Contracts:
        return connect(Network.connect(self.url), Deployment.load(self.record))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def await_node(url: str, node: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and node.poll() is None:
        try:
            Network.connect(url)
        except TransportError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"no node answers at {url}")


@pytest.fixture
def scripts(tmp_path: Path) -> Iterator[Scripts]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ["--port", str(port), "--chain-id", str(CHAIN_ID), "--hardfork", "cancun"]
    with subprocess.Popen([ANVIL, "--silent", *arguments]) as node:
        try:
            await_node(url, node)
            yield Scripts(url=url, folder=tmp_path)
        finally:
            node.terminate()


def test_scripts_carry_a_consent_from_deployment_to_revocation(scripts: Scripts) -> None:
    scripts.deploy()
    contracts = scripts.contracts()
    folder, payer = scripts.folder, ("--account", "TEST::0")

    # The organisation wishes, the only member approves, which is a majority.
    motion = ("--motion", str(folder / "motion.json"))
    clinic = ("--organisation", f"TEST::{CLINIC}", "--key", KEY, "--role", "emergency")
    wish = (*clinic, "--profile", profile(folder, "clinic", CLINIC))
    scripts.done("admit", *payer, *motion, *wish)
    assert not contracts.call("Registry", "isActiveOrganisation", account(CLINIC))
    scripts.done("admit", *payer, *motion, "--member", f"TEST::{HOSPITAL}")
    assert contracts.call("Registry", "isActiveOrganisation", account(CLINIC))

    # It asks for all Observations; the patient consents to the laboratory's.
    asked = str(folder / "request.json")
    whom = ("--patient", account(PATIENT), "--steward", account(HOSPITAL))
    what = ("--scope", "patient/Observation.rs", "--out", asked)
    scripts.done("request", "--requester", f"TEST::{CLINIC}", *whom, *what)
    given, patient = folder / "consent.json", ("--patient", f"TEST::{PATIENT}")
    narrower = ("--scope", "patient/Observation.rs?category=laboratory", "--days", "7")
    answer = ("--request", asked, *narrower, "--out", str(given))
    assert "laboratory Observations" in scripts.done("grant", *payer, *patient, *answer)

    consent = json.loads(given.read_text(encoding="utf-8"))
    consent_id: Digest = digest(consent["consent"])
    assert Terms.parse(consent["terms"]).scopes[0].parameters == (("category", ("laboratory",)),)
    assert contracts.call("Consents", "isActive", account(PATIENT), consent_id)
    status, grantee, start, end, _ = contracts.call(
        "Consents", "consentOf", account(PATIENT), consent_id
    )
    assert (status, grantee, end - start) == (1, account(CLINIC), 7 * 24 * 3600)

    scripts.done("revoke", *payer, *patient, "--consent", consent["consent"])
    assert not contracts.call("Consents", "isActive", account(PATIENT), consent_id)
    again = scripts.run("revoke", *payer, *patient, "--consent", consent["consent"])
    assert again.returncode == 1
    assert f"ConsentRevokedAlready(consentId={consent['consent']})" in again.stderr


def test_deploy_is_refused_when_the_record_is_of_this_very_chain(scripts: Scripts) -> None:
    scripts.deploy()
    before = scripts.record.read_text(encoding="utf-8")
    who = ("--account", "TEST::0", "--founder", f"TEST::{HOSPITAL}", "--key", KEY)
    answer = scripts.run("deploy", *who, "--profile", str(scripts.folder / "hospital.json"))
    assert answer.returncode == 1
    assert "records a deployment on this chain: name another file" in answer.stderr
    assert scripts.record.read_text(encoding="utf-8") == before
