"""The compiled contracts that the package carries, and how code is compared with them."""

from __future__ import annotations

import pytest

from medaccord.chain import artifacts
from medaccord.chain.artifacts import CONTRACTS, load


@pytest.mark.parametrize("name", CONTRACTS)
def test_artifact_is_whole(name: str) -> None:
    artifact = load(name)
    assert artifact.name == name
    assert len(artifact.deployed_bytecode) < len(artifact.bytecode)
    assert artifact.compiler["settings"]["evmVersion"] == "cancun"
    assert artifact.entries("constructor")
    assert artifact.entries("function")


def test_unknown_contract_is_refused() -> None:
    with pytest.raises(KeyError, match="no contract Escrow; there are Registry"):
        load("Escrow")


@pytest.fixture
def artifact() -> artifacts.Artifact:
    return load("Consents")


def test_code_is_ours_whatever_its_immutables_hold(artifact: artifacts.Artifact) -> None:
    code = bytearray(artifact.deployed_bytecode)
    for start, length in artifact.immutable_references:
        code[start : start + length] = b"\xff" * length
    assert artifact.immutable_references
    assert artifact.is_code(bytes(code))


def test_code_is_not_ours_when_one_byte_beside_an_immutable_differs(
    artifact: artifacts.Artifact,
) -> None:
    start, length = artifact.immutable_references[0]
    for place in (start - 1, start + length):
        code = bytearray(artifact.deployed_bytecode)
        code[place] ^= 1
        assert not artifact.is_code(bytes(code))


@pytest.mark.parametrize("cut", [b"", b"\x00"])
def test_code_is_not_ours_when_it_is_shorter_or_longer(
    artifact: artifacts.Artifact, cut: bytes
) -> None:
    code = artifact.deployed_bytecode
    assert not artifact.is_code(code + cut if cut else code[:-1])


def test_no_code_is_not_ours(artifact: artifacts.Artifact) -> None:
    assert not artifact.is_code(b"")
