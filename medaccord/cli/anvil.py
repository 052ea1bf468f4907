"""Anvil, a node for developers, as a process that ends with this one.

Source: https://getfoundry.sh/anvil/overview (its options); prctl(2), PR_SET_PDEATHSIG.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Final

from medaccord.chain.network import Network
from medaccord.core.errors import MedaccordError, TransportError

CHAIN_ID: Final = 1337
"""Chain id of a local chain."""

_PROGRAM: Final = "anvil"
_START_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.1
_END_SECONDS: Final = 20.0
_STATE_SECONDS: Final = 10
"""Between two writes of its state, beside the one at its end."""

_PR_SET_PDEATHSIG: Final = 1


class Anvil:
    """A node that runs.

    Attributes:
        url: where it answers.
        network: a connection to it.
    """

    def __init__(self, url: str, network: Network, process: subprocess.Popen[bytes]) -> None:
        """Take a node that answers."""
        self.url = url
        self.network = network
        self._process = process

    @property
    def is_running(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process.poll() is None


def program() -> Path:
    """The anvil of PATH, or the one that npm installed here or in a folder above.

    Raises:
        MedaccordError: there is none.
    """
    if (found := shutil.which(_PROGRAM)) is not None:
        return Path(found)
    here = Path.cwd()
    for folder in (here, *here.parents):
        modules = folder / "node_modules"
        # npm's own link may lead to a script that starts the program, and does not end with it.
        for each in (*modules.glob("@foundry-rs/anvil-*/bin/anvil"), modules / ".bin" / _PROGRAM):
            if os.access(each, os.X_OK):
                return each
    raise MedaccordError(
        "there is no anvil on PATH, and none in node_modules/.bin: install it with `npm install"
        " @foundry-rs/anvil`, or leave --engine away for the embedded chain, which needs none"
    )


@contextmanager
def running(port: int, *, state: Path, block_time: timedelta) -> Iterator[Anvil]:
    """Run a node until the block ends, or this process: on Linux even where that is killed.

    Args:
        port: of loopback; a free one.
        state: the file its chain is kept in, from one run to the next.
        block_time: between two blocks, in whole seconds.

    Raises:
        MedaccordError: there is no anvil.
        TransportError: it does not start, or does not answer within 30 seconds.
    """
    command = [
        *(str(program()), "--silent", "--host", "127.0.0.1", "--port", str(port)),
        *("--chain-id", str(CHAIN_ID), "--block-time", str(int(block_time.total_seconds()))),
        *("--state", str(state), "--state-interval", str(_STATE_SECONDS)),
    ]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,  # Ctrl-C is ours to pass on, once
            preexec_fn=_ending_with(os.getpid()),  # safe, since no thread runs yet
        )
        try:
            url = f"http://127.0.0.1:{port}"
            yield Anvil(url, _connected(url, process, errors), process)
        finally:
            _end(process)


def _connected(url: str, process: subprocess.Popen[bytes], errors: IO[bytes]) -> Network:
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            return Network.connect(url)
        except TransportError:
            time.sleep(_LOOK_SECONDS)
    errors.seek(0)
    said = errors.read().decode(errors="replace").strip().splitlines()
    raise TransportError(f"anvil did not start: {said[-1] if said else 'it said nothing'}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let it write its state, and make sure that it is gone."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _ending_with(parent: int) -> Callable[[], None] | None:
    """What a child calls before it becomes another program, so that it ends when we do."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # gone before it was asked
            os.kill(os.getpid(), signal.SIGTERM)

    return ask
