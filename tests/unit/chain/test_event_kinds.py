"""Every event of the ABIs has its dataclass, parameter for parameter."""

from __future__ import annotations

from dataclasses import fields
from typing import get_type_hints

import pytest

from medaccord.chain import artifacts, events
from medaccord.chain.events import Event
from medaccord.chain.values import snake_case
from medaccord.core.identifiers import Address, Digest

# OpenZeppelin's EIP712 declares it for contracts whose domain changes; ours cannot change.
NEVER_REPORTED = {"EIP712DomainChanged"}
ABIS = {
    event["name"]: event
    for name in artifacts.CONTRACTS
    for event in artifacts.load(name).entries("event")
    if event["name"] not in NEVER_REPORTED
}
COMMON = {field.name for field in fields(Event)}


def test_classes_are_exactly_the_events_of_the_abis() -> None:
    assert {made.__name__ for made in Event.__subclasses__()} == set(ABIS)


@pytest.mark.parametrize("name", ABIS)
def test_class_has_exactly_the_parameters_of_the_event(name: str) -> None:
    made = getattr(events, name)
    hints = get_type_hints(made)
    python = {"address": Address, "bytes32": Digest}
    found = {field.name: hints[field.name] for field in fields(made) if field.name not in COMMON}
    assert found == {
        snake_case(each["name"]): python.get(each["type"], int) for each in ABIS[name]["inputs"]
    }
