"""The compiled contracts that the package carries are what the sources compile to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import medaccord

ROOT = Path(__file__).resolve().parents[2]
DEPLOYED = Path(medaccord.__file__).parent / "chain" / "artifacts"
OF_TESTS = ROOT / "tests" / "contracts" / "artifacts"
BYTES_AT_MOST = 24_576  # Source: EIP-170.


def texts(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.json"))}


def runtime_sizes(folder: Path) -> dict[str, int]:
    artifacts = {name: json.loads(text) for name, text in texts(folder).items()}
    return {name: len(item["deployedBytecode"]) // 2 - 1 for name, item in artifacts.items()}


def compiled_by_ape(data_folder: Path) -> dict[str, Any]:
    ours = {
        "APE_DATA_FOLDER": str(data_folder),
        "SOLCX_BINARY_PATH": str(ROOT / "scripts" / "solc"),
    }
    answer = subprocess.run(
        [Path(sys.executable).with_name("ape"), "compile", "--force"],
        cwd=ROOT,
        env={**os.environ, **ours},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    manifest = json.loads((ROOT / ".build" / "__local__.json").read_text(encoding="utf-8"))
    contract_types: dict[str, Any] = manifest["contractTypes"]
    return contract_types


@pytest.mark.compiler
@pytest.mark.parametrize("folder", [DEPLOYED, OF_TESTS], ids=["deployed", "of tests"])
def test_artifacts_are_the_same_text_when_recompiled(folder: Path) -> None:
    # Imported here: the compiler is no part of an environment that only runs the package.
    from scripts.compile_contracts import TARGETS, compile_target

    (target,) = (target for target in TARGETS if ROOT / target.artifacts == folder)
    assert compile_target(target) == texts(folder)


@pytest.mark.compiler
def test_artifacts_hold_the_bytecode_that_ape_compiles(tmp_path: Path) -> None:
    ours = {name: json.loads(text) for name, text in texts(DEPLOYED).items()}
    apes = compiled_by_ape(tmp_path)
    assert {
        name: (
            apes[name]["deploymentBytecode"]["bytecode"],
            apes[name]["runtimeBytecode"]["bytecode"],
        )
        for name in ours
    } == {name: (item["bytecode"], item["deployedBytecode"]) for name, item in ours.items()}


def test_deployed_contracts_fit_into_a_block_of_code() -> None:
    sizes = runtime_sizes(DEPLOYED)
    assert set(sizes) == {"Anchors", "Consents", "Consortium", "Registry", "Relationships"}
    assert {name: size for name, size in sizes.items() if not 0 < size <= BYTES_AT_MOST} == {}
