"""``medaccord node``: a chain of this machine to try everything on, until it is told to stop."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from medaccord.chain.network import Network
from medaccord.chain.rpc_server import RpcServer
from medaccord.cli import anvil
from medaccord.cli.ending import FAILED, embedded_chain_needed
from medaccord.cli.output import JsonOption, say
from medaccord.cli.worker import stop_on_signals
from medaccord.core.errors import InvalidInput, MedaccordError, TransportError
from medaccord.core.identifiers import Address, address, hex_digest
from medaccord.gatekeeper.server import bind, serve
from medaccord.keys import LocalSigner, files
from medaccord.settings import HOME

_PORT: Final = 8545
_LOOK_SECONDS: Final = 0.2
_KEY_FILE: Final = "funded-key"
_MOST_KEY_BYTES: Final = 100
_ALLOWANCE: Final = 100 * 10**18


class Engine(Enum):
    """What runs the chain."""

    EMBEDDED = "embedded"
    ANVIL = "anvil"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    """A chain that answers.

    Attributes:
        url: where.
        network: a connection to it.
        is_running: whether it has not ended by itself.
    """

    url: str
    network: Network
    is_running: Callable[[], bool]


def node(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Of loopback; 0 takes any free one.")
    ] = _PORT,
    engine: Annotated[
        Engine,
        typer.Option(
            "--engine",
            help="`embedded` is in this process, and its chain in memory: gone when this ends."
            " `anvil` is Foundry's, and keeps its chain in FOLDER.",
        ),
    ] = Engine.EMBEDDED,
    block_time: Annotated[
        int | None,
        typer.Option(
            "--block-time",
            metavar="SECONDS",
            min=1,
            help="Mine a block every so often, empty ones too; 1 with anvil. Unless given, the"
            " embedded chain mines what comes at once, but one block a second at most.",
        ),
    ] = None,
    fund: Annotated[
        list[str] | None,
        typer.Option(
            "--fund", metavar="ADDRESS", help="Give 100 ether to an account; may be given again."
        ),
    ] = None,
    folder: Annotated[
        Path,
        typer.Option(
            "--folder",
            metavar="FOLDER",
            help="Where the funded key is, and anvil's chain.",
            show_default="one in the program's own folder",
        ),
    ] = HOME / "node",
    as_json: JsonOption = False,
) -> None:
    """Run a chain on this machine, chain id 1337, until Ctrl-C or SIGTERM.

    It is for trials: everybody on this machine can use it, and its money is worth nothing. Once it
    answers it says where, and names an account that has money and the file of its key, which
    MEDACCORD_PRIVATE_KEY can hold.
    """
    others = [address(each) for each in fund or ()]
    stop = threading.Event()
    stop_on_signals(stop, at_once=lambda: os._exit(FAILED))
    period = None if block_time is None else timedelta(seconds=block_time)
    key_file = files.private_folder(folder) / _KEY_FILE
    account = _funded_key(key_file).address
    chain = _embedded if engine is Engine.EMBEDDED else _anvil
    with chain(port, period, (account, *others), folder) as running:
        document = {
            "url": running.url,
            "chainId": running.network.chain_id,
            "genesisHash": hex_digest(running.network.genesis_hash),
            "engine": engine.value,
            "account": account,
            "keyFile": str(key_file),
            "pid": os.getpid(),
        }
        say(document, _lines(document, engine), as_json=as_json)
        while not stop.wait(_LOOK_SECONDS):
            if not running.is_running():
                raise TransportError("the node ended by itself: start it again")


def _lines(document: dict[str, Any], engine: Engine) -> Iterator[str]:
    where = "in memory, and gone when this ends" if engine is Engine.EMBEDDED else "kept on disk"
    yield f"A chain ({document['chainId']}, {where}) answers at {document['url']}"
    yield f"{document['account']} has money there; its key is in {document['keyFile']}"


@contextmanager
def _embedded(
    port: int, period: timedelta | None, funded: tuple[Address, ...], _folder: Path
) -> Iterator[_Running]:
    with embedded_chain_needed():
        from medaccord.chain.embedded import EmbeddedChain
    listener = bind(port=port)
    try:
        chain = EmbeddedChain()
        for account in dict.fromkeys(funded):
            chain.fund(account, _ALLOWANCE)
        server = serve(RpcServer(chain.answer), listener)
        try:
            with chain.mining_on_time(period):
                yield _Running(
                    url=server.url,
                    network=chain.network(),
                    is_running=lambda: server.is_running,
                )
        finally:
            server.stop()
    finally:
        listener.close()


@contextmanager
def _anvil(
    port: int, period: timedelta | None, funded: tuple[Address, ...], folder: Path
) -> Iterator[_Running]:
    with ExitStack() as until_the_end:
        try:
            until_the_end.enter_context(files.locked(folder, alone=True, wait=False))
        except BlockingIOError:
            raise MedaccordError(
                f"another anvil keeps its chain in {folder}: end it, or name another --folder"
            ) from None
        with bind(port=port) as probe:  # says so where somebody has it
            free = int(probe.getsockname()[1])
        period = period or timedelta(seconds=1)
        started = until_the_end.enter_context(
            anvil.running(free, state=folder / "anvil.json", block_time=period)
        )
        for account in dict.fromkeys(funded):
            held = int(started.network.request("eth_getBalance", account, "latest"), 16)
            if held < _ALLOWANCE:
                started.network.request("anvil_setBalance", account, hex(_ALLOWANCE))
        yield _Running(
            url=started.url, network=started.network, is_running=lambda: started.is_running
        )


def _funded_key(path: Path) -> LocalSigner:
    """The key that has money, the same at every start; made if need be."""
    fresh = LocalSigner.create()
    files.write_once(path, f"0x{fresh.unsafe_key().hex()}\n".encode())
    text = files.read_private(path, limit=_MOST_KEY_BYTES, what="the funded key").decode()
    try:
        return LocalSigner.unsafe_from_key(bytes.fromhex(text.strip().removeprefix("0x")))
    except ValueError:
        raise InvalidInput(f"{path} holds no key: remove it, and a new one is made") from None
