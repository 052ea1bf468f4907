"""The scripts on Ape's own test network, which ends with its process: all of them in this one.

Usage: python tests/integration/scripts_in_ape.py FOLDER
"""

from __future__ import annotations

import contextlib
import importlib
import io
import runpy
import sys
import threading
import time
from pathlib import Path
from typing import Any

import click
from ape import networks

from scripts._ape import connected

OWN = "ethereum:local:test"
AHEAD = 10
"""Seconds that the chain may be ahead when a script begins, which sends a few blocks at most."""
# By its path: outside pytest, `tests` is whatever installed package has that name.
TALE = Path(__file__).with_name("script_tale.py")


def run(script: str, *options: str, code: int = 0) -> str:
    """Run a script as `ape run` does, in this process."""
    command = importlib.import_module(f"scripts.{script}").cli
    said, ended = io.StringIO(), 0
    until_clocks_meet()
    with contextlib.redirect_stdout(said):
        try:
            command.main(["--network", OWN, *options], prog_name=script, standalone_mode=False)
        except click.ClickException as error:
            ended, said = error.exit_code, io.StringIO(error.format_message())
    assert ended == code, said.getvalue()
    if not code:  # what was refused sent nothing; and each block takes the chain a second ahead
        networks.provider.mine(2)  # a block there is dated when the one before is mined
    return said.getvalue()


def until_clocks_meet() -> None:
    """Wait while the chain is far ahead: each block takes it a second on, however fast they come.

    A gatekeeper decides nothing where it is ahead by more than half a minute.
    """
    while networks.provider.get_block("latest").timestamp > time.time() + AHEAD:
        time.sleep(0.2)


def one_at_a_time(provider: Any) -> None:
    """Let the gatekeeper's threads use Ape's chain, which is made for one."""
    make, turn = provider.make_request, threading.RLock()

    def in_turn(method: Any, params: Any) -> Any:
        with turn:
            return make(method, params)

    provider.make_request = in_turn


def main(folder: Path) -> None:
    with networks.parse_network_choice(OWN) as ape:
        one_at_a_time(ape.web3.provider)
        tale = runpy.run_path(str(TALE))["Tale"](start=run, network=connected(), folder=folder)
        tale.tell()
        tale.tell_more()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
