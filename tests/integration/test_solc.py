"""Our command line over the WebAssembly compiler answers as the native compiler does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.compiler

ROOT = Path(__file__).resolve().parents[2]
SOLC = ROOT / "scripts" / "solc" / "solc-v0.8.37"

BOX = """\
// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;
import {Lid} from "./Lid.sol";
contract Box is Lid { uint256 public weight; }
"""
LID = """\
// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;
abstract contract Lid { bool public open; }
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "Box.sol").write_text(BOX, encoding="utf-8")
    (tmp_path / "Lid.sol").write_text(LID, encoding="utf-8")
    return tmp_path


def solc(*arguments: str, stdin: str = "", cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SOLC, *arguments], input=stdin, cwd=cwd, capture_output=True, text=True, check=False
    )


def standard_json(content: str) -> str:
    selection = {"*": {"*": ["abi", "evm.bytecode.object"]}}
    sources = {"Box.sol": {"content": content}}
    settings = {"outputSelection": selection}
    return json.dumps({"language": "Solidity", "sources": sources, "settings": settings})


def getters(contract: dict[str, Any]) -> set[str]:
    return {entry["name"] for entry in contract["abi"]}


def test_version_is_answered_in_the_words_of_the_native_compiler() -> None:
    first, second = solc("--version").stdout.splitlines()
    assert first == "solc, the solidity compiler commandline interface"
    assert second.startswith("Version: 0.8.37+commit.")


def test_standard_json_is_compiled_with_imports_from_the_base_path(sources: Path) -> None:
    answer = solc("--standard-json", "--base-path", str(sources), stdin=standard_json(BOX))
    output = json.loads(answer.stdout)
    assert answer.returncode == 0
    assert getters(output["contracts"]["Box.sol"]["Box"]) == {"open", "weight"}


def test_standard_json_reports_the_import_when_it_is_not_found(tmp_path: Path) -> None:
    answer = solc("--standard-json", "--base-path", str(tmp_path), stdin=standard_json(BOX))
    (error,) = json.loads(answer.stdout)["errors"]
    assert answer.returncode == 0
    assert "File not found: Lid.sol" in error["formattedMessage"]


def test_combined_json_lists_every_source_under_its_number(sources: Path) -> None:
    answer = solc("Box.sol", "--combined-json", "abi,ast,bin,srcmap", cwd=sources)
    output = json.loads(answer.stdout)
    assert set(output["contracts"]) == {"Box.sol:Box", "Lid.sol:Lid"}
    assert set(output["contracts"]["Box.sol:Box"]) == {"abi", "bin", "srcmap"}
    assert [output["sources"][name]["id"] for name in output["sourceList"]] == [0, 1]
    assert output["sources"]["Lid.sol"]["AST"]["absolutePath"] == "Lid.sol"


def test_combined_json_fails_when_the_source_does_not_compile(sources: Path) -> None:
    (sources / "Box.sol").write_text(BOX.replace("uint256", "number"), encoding="utf-8")
    answer = solc("Box.sol", "--combined-json", "abi", cwd=sources)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert "DeclarationError" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gas"], "unrecognised option '--gas'\n"),
        (["--combined-json"], "the required argument for option '--combined-json' is missing\n"),
        (["Box.sol", "--combined-json", "wasm"], "Invalid option to --combined-json: wasm\n"),
        ([], "give one of --version, --standard-json, --combined-json\n"),
    ],
)
def test_command_line_is_refused_in_one_line(arguments: list[str], message: str) -> None:
    answer = solc(*arguments)
    assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", message)


def test_slither_reads_a_contract_and_its_imports(sources: Path) -> None:
    # An owner that anybody may set: the detector must see through the compiler's syntax tree.
    careless = LID.replace("open;", "open; function end() external { selfdestruct(payable(0)); }")
    (sources / "Lid.sol").write_text(careless, encoding="utf-8")
    answer = subprocess.run(
        [Path(sys.executable).with_name("slither"), "Box.sol", "--solc", SOLC, "--json", "-"],
        cwd=sources,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(answer.stdout)["results"]["detectors"]
    assert "suicidal" in {item["check"] for item in found}
