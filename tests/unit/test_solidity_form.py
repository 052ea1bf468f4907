"""How the contracts are written, where the compiler does not mind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
SOURCES = {
    str(path.relative_to(CONTRACTS)): path.read_text(encoding="utf-8")
    for path in sorted(CONTRACTS.rglob("*.sol"))
    if ".cache" not in path.parts
}
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
CODE = {name: COMMENT.sub("", text) for name, text in SOURCES.items()}
OPEN_PRAGMA = {name for name in SOURCES if name.startswith(("interfaces/", "libraries/"))}

FORBIDDEN = {
    "assembly": r"\bassembly\b",
    "delegatecall": r"\bdelegatecall\b",
    "packed encoding": r"\babi\.encodePacked\b",
    "reason as text": r"\brevert\s*\(|\brequire\s*\([^;]*\"",
    "selfdestruct": r"\bselfdestruct\b",
    "text in a signature": r"\bstring\s+(?:calldata|memory)\b(?![^;{]*\bEIP712\b)",
    "tx.origin": r"\btx\.origin\b",
    "whole-file import": r"\bimport\s+[\"*]",
}


def test_contracts_are_found() -> None:
    assert {"Anchors.sol", "Consents.sol", "Consortium.sol", "Registry.sol"} <= set(SOURCES)


def test_licence_stands_on_the_first_line() -> None:
    line = "// SPDX-License-Identifier: Apache-2.0\n"
    assert [name for name, text in SOURCES.items() if not text.startswith(line)] == []


def test_pragma_is_exact_in_contracts_and_open_in_interfaces_and_libraries() -> None:
    pragmas = {name: re.findall(r"pragma solidity ([^;]+);", text) for name, text in CODE.items()}
    wrong = {
        name: found
        for name, found in pragmas.items()
        if not (found[0].startswith("^0.8.") if name in OPEN_PRAGMA else found == ["0.8.37"])
    }
    assert wrong == {}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_forbidden_form_is_nowhere(what: str) -> None:
    assert [name for name, text in CODE.items() if re.search(FORBIDDEN[what], text)] == []


def test_every_contract_has_an_interface_that_owns_its_events_and_errors() -> None:
    contracts = [name.removesuffix(".sol") for name in SOURCES if "/" not in name]
    assert [name for name in contracts if f"interfaces/I{name}.sol" not in SOURCES] == []
    elsewhere = [
        name
        for name, text in CODE.items()
        if not name.startswith("interfaces/")
        and re.search(r"(?m)^\s*(?:event|error)\s+\w+\(", text)
    ]
    assert elsewhere == []
