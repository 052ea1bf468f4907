"""A generated chain that goes on: one hospital's, whose people have keys, and that mines blocks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from eth_utils.crypto import keccak
from web3 import Web3

from benchmarks.synthetic_chain import (
    CHAIN_ID,
    GRANTEES,
    STEWARD,
    SyntheticChain,
    SyntheticNode,
    word,
)
from medaccord.chain import Network, artifacts, events
from medaccord.chain.events import Event
from medaccord.core.identifiers import ZERO_DIGEST, AccountId, Address, Digest, digest
from medaccord.core.purposes import Purpose
from medaccord.core.scopes import Scope
from medaccord.core.terms import Terms
from medaccord.keys import LocalSigner

CONSENTS_EACH: Final = 10
"""Consents of one patient, each to another organisation and each with terms of its own."""

WITH_KEYS: Final = 200
"""Patients, from the first, who can sign; the others are only names."""

_EMERGENCY: Final = timedelta(hours=1)


class HospitalChain(SyntheticChain):
    """A synthetic chain that new events can be added to."""

    def __init__(self, consents: int) -> None:
        """Think of a chain with so many consents, ten of each patient."""
        super().__init__(consents, terms=Digest(bytes(32)), each=CONSENTS_EACH)
        self.grantees = [grantee_key(number).address for number in range(GRANTEES)]
        self._before = self.height
        self._mined: list[list[Event]] = []
        self._began = self.now
        self._since = time.monotonic()

    def patient(self, number: int) -> Address:
        """The account of one patient, from 0."""
        return patient_key(number).address if number < WITH_KEYS else super().patient(number)

    def terms_of(self, number: int, place: int) -> Digest:
        """What one of a patient's consents commits to."""
        return terms_of(number, place).commitment

    def clock(self) -> datetime:
        """The time on this chain, which goes on from its head."""
        return self._began + timedelta(seconds=time.monotonic() - self._since)

    def add(self, made: list[Event]) -> None:
        """Add a block above the head, which is where it is until `height` says otherwise."""
        self._mined.append(made)

    def grow_to(self, height: int) -> None:
        """Let the chain have come so far; what happened meanwhile, nobody asks for again."""
        self._before = self.height = max(self.height, height)

    def events_of(self, number: int) -> Iterator[Event]:
        """What happened in one block."""
        if number <= self._before:
            return super().events_of(number)
        return iter(self._mined[number - self._before - 1])

    def revocation(self, patient: int, place: int) -> Event:
        """The revocation of one of a patient's consents, in the next block."""
        return events.ConsentRevoked(
            contract=self.deployment.contracts["Consents"].address,
            patient=self.patient(patient),
            consent_id=self.consent_id(patient, place),
            by=self.patient(patient),
            **self._place(0),
        )

    def emergency(self, patient: int, grantee: int) -> Event:
        """An emergency access of an organisation to a patient's records, in the next block."""
        account = self.grantees[grantee]
        return events.EmergencyOpened(
            contract=self.deployment.contracts["Consents"].address,
            patient=self.patient(patient),
            grantee=account,
            emergency_id=word("emergency", self.height),
            by=account,
            reason=word("reason", self.height),
            valid_until=int((self.clock() + _EMERGENCY).timestamp()),
            epoch=0,
            **self._place(0),
        )

    def anchor(self, topic: Digest, root: Digest, log_index: int) -> events.Anchored:
        """The first append to one of the steward's streams, in the next block."""
        return events.Anchored(
            contract=self.deployment.contracts["Anchors"].address,
            account=self.steward,
            topic=topic,
            by=self.steward,
            previous=ZERO_DIGEST,
            root=root,
            head=digest(keccak(root)),
            **self._place(log_index),
        )

    def _place(self, log_index: int) -> dict[str, Any]:
        block = self.block(self.height + 1)
        transaction = word("transaction", (block.number << 32) + log_index)
        return {"block": block, "transaction": transaction, "log_index": log_index}


class HospitalNode(SyntheticNode):
    """A node of that chain, at its head; no transaction gets through to it."""

    def __init__(self, chain: HospitalChain) -> None:
        """Serve the head, and whatever is mined from now on."""
        super().__init__(chain, upto=0)
        self._hospital = chain

    def network(self) -> Network:
        """Connect to it."""
        return Network(Web3(self, middleware=()), clock=self._hospital.clock)

    def mine(self, made: Iterable[Event]) -> None:
        """Add a block to the chain, and serve it."""
        number = self._hospital.height + 1
        self._hospital.add(list(made))
        self.serve(number)
        self._hospital.height = number  # only now does anybody ask for it

    def _result(self, method: str, params: Any) -> Any:
        deployment = self._hospital.deployment
        if method == "eth_getCode":
            (name,) = (
                name for name, each in deployment.contracts.items() if each.address == params[0]
            )
            return "0x" + artifacts.load(name).deployed_bytecode.hex()
        if method == "eth_call":  # which contract another one obeys
            asked = params[0]["to"] == deployment.contracts["Registry"].address
            obeyed = deployment.contracts["Consortium" if asked else "Registry"]
            return "0x" + obeyed.address[2:].lower().rjust(64, "0")
        if method == "eth_getBlockByNumber":
            return {**super()._result(method, params), "baseFeePerGas": "0x1"}
        if method in ("eth_chainId", "eth_getLogs"):
            return super()._result(method, params)
        if method == "eth_maxPriorityFeePerGas":
            return "0x1"
        raise ConnectionError(f"this node takes no {method}")


@cache
def patient_key(number: int) -> LocalSigner:
    """The key of a patient that can sign."""
    return LocalSigner.unsafe_from_key(word("patient-key", number))


@cache
def grantee_key(number: int) -> LocalSigner:
    """The key of an organisation that reads."""
    return LocalSigner.unsafe_from_key(word("grantee-key", number))


def terms_of(number: int, place: int) -> Terms:
    """The terms of one of a patient's consents."""
    return Terms(
        stewards=(AccountId(chain_id=CHAIN_ID, address=STEWARD),),
        scopes=(Scope.parse("patient/Observation.rs"),),
        purposes=(Purpose.TREAT,),
        salt=word("salt", number * CONSENTS_EACH + place),
    )
