"""The blocks of docs/developer.md run as they stand there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.pages import ROOT, Block, Reader, blocks_of, taking_turns
from tests.integration.anvil import ANVIL, NEEDS_ANVIL

PAGE = ROOT / "docs" / "developer.md"
PORT = "8545"


def blocks(*needs: str | None) -> list[Block]:
    """Those that need something of these, in the order of the page."""
    return [each for each in blocks_of(PAGE) if each.needs in needs]


def test_every_block_is_run_by_a_test() -> None:
    assert {each.needs for each in blocks_of(PAGE)} == {None, "checkout", "anvil"}


def test_page_is_run_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    with taking_turns(PORT):
        said = Reader(folder=tmp_path).run(blocks(None))
    (asked,) = [each for each in said if each.startswith("“Hospital B” asks to read ")]
    assert "\nconsent-revoked: " in asked


@NEEDS_ANVIL[0]
@NEEDS_ANVIL[1]
def test_anvil_takes_the_place_of_the_embedded_chain(tmp_path: Path) -> None:
    settings = {"PATH": f"{ANVIL.parent}:{os.environ['PATH']}"}
    keys, _, contracts, *_ = blocks(None)
    (anvil,) = blocks("anvil")
    with taking_turns(PORT):
        said = Reader(folder=tmp_path, settings=settings).run([keys, anvil, contracts])
    assert "Consents: 0x" in said[-1]


@pytest.mark.compiler
@pytest.mark.skipif(
    Path(sys.prefix) != ROOT / ".venv", reason="make installs into the environment of the checkout"
)
def test_checkout_is_installed(tmp_path: Path) -> None:
    asked = ["make", "--question", ".venv/.demo"]
    if subprocess.run(asked, cwd=ROOT, capture_output=True, check=False).returncode:
        pytest.skip("the environment is older than its lock: a test installs nothing")
    (said,) = Reader(folder=tmp_path, start=ROOT).run(blocks("checkout"))
    assert said.splitlines()[-1].startswith("medaccord ")
