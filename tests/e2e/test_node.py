"""`medaccord node` as a process: what it says, who can use it, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medaccord.chain import FounderAdmission, Network, Sender, connect, deploy
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import Address, address, hex_digest
from medaccord.keys import LocalSigner
from tests.e2e.commands import Ended, Person
from tests.integration.anvil import ANVIL, NEEDS_ANVIL
from tests.integration.conftest import KEY, PROFILE

ALLOWANCE = 100 * 10**18
STRANGER = address("0x" + "51" * 20)


@pytest.fixture
def developer(tmp_path: Path) -> Person:
    """Has anvil on PATH."""
    return Person(home=tmp_path, settings={"PATH": f"{ANVIL.parent}:{os.environ['PATH']}"})


def funded(told: dict[str, object]) -> LocalSigner:
    """The key in the file that a node names."""
    text = Path(str(told["keyFile"])).read_text(encoding="ascii")
    return LocalSigner.unsafe_from_key(bytes.fromhex(text.strip()[2:]))


def balance(url: str, account: Address) -> int:
    return int(Network.connect(url).request("eth_getBalance", account, "latest"), 16)


def deploy_with(told: dict[str, object]) -> None:
    """Deploy with the funded key, and connect."""
    network = Network.connect(str(told["url"]))
    founder = FounderAdmission(signer=LocalSigner.create(), key=KEY, profile=PROFILE)
    connect(network, deploy(network, Sender(network, funded(told)), founder))


def until(what: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not what():
        assert time.monotonic() < ends, "it did not come about in time"
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        Network.connect(url)
    except TransportError:
        return False
    return True


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_embedded_node_says_what_is_needed_and_ends_when_told(
    developer: Person, stop: signal.Signals
) -> None:
    with developer.running("node", "--port", "0", "--fund", STRANGER) as node:
        network = Network.connect(node.url)
        account = funded(node.told).address
        assert node.told == {
            "url": node.url,
            "chainId": 1337,
            "genesisHash": hex_digest(network.genesis_hash),
            "engine": "embedded",
            "account": account,
            "keyFile": str(developer.home / ".config" / "medaccord" / "node" / "funded-key"),
            "pid": node.process.pid,
        }
        assert balance(node.url, account) == balance(node.url, STRANGER) == ALLOWANCE
        assert Path(str(node.told["keyFile"])).stat().st_mode & 0o777 == 0o600
        deploy_with(node.told)
        assert node.end(stop) == Ended(code=0, output="", errors="")
        assert not answers(node.url)


def test_key_is_the_same_at_the_next_start_and_the_chain_is_another(developer: Person) -> None:
    folder = ("--folder", str(developer.home / "mine"))
    with developer.running("node", "--port", "0", *folder) as node:
        first = node.told
    with developer.running("node", "--port", "0", *folder, "--block-time", "1") as node:
        assert node.told["account"] == first["account"]
        assert node.told["genesisHash"] != first["genesisHash"]
        assert balance(node.url, funded(first).address) == ALLOWANCE
        network = Network.connect(node.url)
        before = network.head().number
        until(lambda: network.head().number > before)


def test_port_that_somebody_has_gets_one_line(developer: Person) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for engine in ("embedded", "anvil"):
            asked = ("--port", port, "--engine", engine, "--folder", str(developer.home))
            said = developer.refused("node", *asked, "--json")
            assert said == f"cannot listen on 127.0.0.1:{port}: Address already in use"


def test_key_file_that_holds_something_else_gets_one_line(developer: Person) -> None:
    file = developer.home / "funded-key"
    file.write_text("nonsense", encoding="ascii")
    file.chmod(0o600)
    said = developer.refused("node", "--folder", str(developer.home), code=2)
    assert said == f"{file} holds no key: remove it, and a new one is made"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--fund", "0x12"), "not an address"),
        (("--engine", "geth"), "'geth'"),
        (("--port", "70000"), "should be less than or equal to 65535"),
        (("--block-time", "0"), "should be greater than or equal to 1"),
    ],
)
def test_bad_option_gets_one_line(developer: Person, arguments: tuple[str, ...], says: str) -> None:
    assert says in developer.refused("node", *arguments, code=2)


def test_missing_anvil_gets_one_line_that_says_where_to_get_it(tmp_path: Path) -> None:
    said = Person(home=tmp_path, settings={"PATH": "/nowhere"}).refused(
        "node", "--engine", "anvil", "--port", "0", "--folder", str(tmp_path)
    )
    assert "npm install @foundry-rs/anvil" in said
    assert "--engine" in said


class TestAnvil:
    pytestmark = NEEDS_ANVIL

    def test_chain_is_kept_from_one_run_to_the_next(self, developer: Person) -> None:
        anvil = ("node", "--engine", "anvil", "--port", "0", "--fund", STRANGER)
        with developer.running(*anvil) as node:
            first, network = node.told, Network.connect(node.url)
            assert (first["engine"], first["chainId"]) == ("anvil", 1337)
            assert balance(node.url, STRANGER) == ALLOWANCE
            deploy_with(first)
            head = network.head()
            assert node.end(signal.SIGTERM) == Ended(code=0, output="", errors="")
            assert not answers(node.url)
        with developer.running(*anvil) as node:
            again = Network.connect(node.url)
            assert node.told["genesisHash"] == first["genesisHash"]
            assert again.block(head.number) == head
            until(lambda: again.head().number > head.number)  # it mines on

    def test_anvil_is_found_where_npm_installed_it(self, tmp_path: Path) -> None:
        modules = tmp_path / "project" / "node_modules" / ".bin"
        modules.mkdir(parents=True)
        (modules / "anvil").symlink_to(ANVIL)
        below = tmp_path / "project" / "below"
        below.mkdir()
        person = Person(home=below, settings={"PATH": "/nowhere"})
        with person.running("node", "--engine", "anvil", "--port", "0") as node:
            assert answers(node.url)

    def test_second_node_on_one_chain_gets_one_line(self, developer: Person) -> None:
        anvil = ("node", "--engine", "anvil", "--port", "0")
        with developer.running(*anvil):
            folder = developer.program_folder / "node"
            said = developer.refused(*anvil, "--folder", str(folder))
            assert said.startswith(f"another anvil keeps its chain in {folder}: end it, or")

    def test_command_ends_when_anvil_does(self, developer: Person) -> None:
        with developer.running("node", "--engine", "anvil", "--port", "0") as node:
            os.kill(child_of(node.process.pid), signal.SIGKILL)
            _, errors = node.process.communicate(timeout=30)
            assert errors == "medaccord: the node ended by itself: start it again\n"
            assert node.process.returncode == 1

    @pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells a child of it")
    def test_anvil_ends_when_the_command_is_killed(self, developer: Person) -> None:
        with developer.running("node", "--engine", "anvil", "--port", "0") as node:
            node.process.kill()
            until(lambda: not answers(node.url))


def child_of(parent: int) -> int:
    """The one process that another started."""
    (child,) = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
    return int(child)
