"""A chain that was never mined: generated consents, and a node in this process that serves them.

It stands in for the network alone. What reads it, checks it and keeps it is the real code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Final

from eth_utils.crypto import keccak
from web3 import Web3
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint, RPCResponse

from medaccord.chain import (
    Contracts,
    DeployedContract,
    Deployment,
    Network,
    Role,
    artifacts,
    events,
)
from medaccord.chain.events import Event, Stretch
from medaccord.chain.headers import Header, bloom_of
from medaccord.chain.values import snake_case
from medaccord.core.blocks import BlockRef
from medaccord.core.identifiers import Address, Digest, address, digest

CHAIN_ID: Final = 1337
PER_BLOCK: Final = 10
"""Events in one block."""

GRANTEES: Final = 50
CONSENTS_EACH: Final = 5
"""Consents of one patient, each to another organisation."""

_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


class SyntheticChain:
    """Every block and event follows from its number; none is kept.

    A block is a second, and holds ten events. The first blocks admit a steward and the grantees;
    each patient then has an active relationship with the steward and some consents.
    """

    def __init__(self, consents: int, *, terms: Digest, each: int = CONSENTS_EACH) -> None:
        """Think of a chain.

        Args:
            consents: how many there are at its head, rounded up to whole patients.
            terms: what each consent commits to.
            each: consents of one patient, at most as many as there are grantees.
        """
        self._per_patient = 2 + each  # a relationship takes two events
        self.patients = -(-consents // each)
        self.terms = terms
        self.steward = STEWARD
        self.grantees = [account("grantee", number) for number in range(GRANTEES)]
        self.events = 1 + GRANTEES + self.patients * self._per_patient
        self.height = -(-self.events // PER_BLOCK)
        self.now = self.block(self.height).timestamp + timedelta(seconds=1)

    @cached_property
    def deployment(self) -> Deployment:
        """The record of contracts that nobody deployed."""
        return Deployment(
            chain_id=CHAIN_ID,
            genesis_hash=_block_hash(0),
            contracts={
                name: DeployedContract(
                    address=account(name, 0),
                    deployer=self.steward,
                    transaction=word(name, 1),
                    block=1,
                    arguments=(),
                )
                for name in artifacts.CONTRACTS
            },
        )

    def patient(self, number: int) -> Address:
        """The account of one patient, from 0."""
        return account("patient", number)

    def terms_of(self, number: int, place: int) -> Digest:
        """What one of a patient's consents commits to."""
        return self.terms

    def consent_id(self, number: int, place: int) -> Digest:
        """The id of one of a patient's consents."""
        return word("consent", 1 + GRANTEES + number * self._per_patient + 2 + place)

    def grantee(self, patient: int, place: int) -> Address:
        """Whom one of a patient's consents lets read."""
        return self.grantees[(patient + place) % GRANTEES]

    def block(self, number: int) -> BlockRef:
        """A block by its number, from 0."""
        return BlockRef(
            chain_id=CHAIN_ID,
            number=number,
            hash=_block_hash(number),
            timestamp=_START + timedelta(seconds=number),
        )

    def stretch(self, first: int, last: int) -> Stretch:
        """Some blocks as whoever read and checked them would hand them on."""
        found: list[Event] = []
        headers = []
        for number in range(first, last + 1):
            headers.append(
                Header(block=self.block(number), parent=_block_hash(number - 1), bloom=0)
            )
            found += self.events_of(number)
        return Stretch(headers=tuple(headers), events=tuple(found))

    def events_of(self, number: int) -> Iterator[Event]:
        """What happened in one block."""
        if number == 0:
            return
        block, first = self.block(number), (number - 1) * PER_BLOCK
        for index in range(first, min(first + PER_BLOCK, self.events)):
            yield self._event(index, block, index - first)

    def _event(self, index: int, block: BlockRef, log_index: int) -> Event:
        place: dict[str, Any] = {
            "block": block,
            "transaction": word("transaction", index),
            "log_index": log_index,
        }
        if index <= GRANTEES:
            who = self.steward if index == 0 else self.grantees[index - 1]
            return events.OrganisationAdmitted(
                contract=self.deployment.contracts["Registry"].address,
                account=who,
                by=who,
                roles=int(Role.STEWARD | Role.EMERGENCY),
                key=word("key", index),
                profile=word("profile", index),
                emergency_from=0,
                **place,
            )
        number, step = divmod(index - 1 - GRANTEES, self._per_patient)
        patient = self.patient(number)
        if step < 2:
            made = events.RelationshipProposed if step == 0 else events.RelationshipAccepted
            by = self.steward if step == 0 else patient
            return made(
                contract=self.deployment.contracts["Relationships"].address,
                patient=patient,
                steward=self.steward,
                by=by,
                account=by,
                round=1,
                **place,
            )
        start = int(_START.timestamp())
        return events.ConsentGranted(
            contract=self.deployment.contracts["Consents"].address,
            patient=patient,
            grantee=self.grantee(number, step - 2),
            consent_id=self.consent_id(number, step - 2),
            by=patient,
            terms=self.terms_of(number, step - 2),
            valid_from=start,
            valid_until=start + 10 * 365 * 86_400,
            request=digest(bytes(32)),
            epoch=0,
            **place,
        )


class SyntheticNode(BaseProvider):
    """Answers as a node does, from answers made beforehand so that making them is not measured."""

    def __init__(self, chain: SyntheticChain, *, upto: int | None = None) -> None:
        """Prepare every answer.

        Args:
            chain: what is served.
            upto: the newest block served in full; none but the head where it is 0.
        """
        super().__init__()
        self._chain = chain
        self._logs: dict[int, str] = {}
        self._blocks: dict[int, str] = {}
        for number in range((chain.height if upto is None else upto) + 1):
            self.serve(number)
        self._blocks.setdefault(chain.height, self._write_block(chain.height))

    def serve(self, number: int) -> None:
        """Serve a block from now on, with everything that happened in it."""
        self._logs[number] = self._write_logs(number)
        self._blocks[number] = self._write_block(number)

    def network(self) -> Network:
        """Connect to it."""
        return Network(Web3(self, middleware=()), clock=lambda: self._chain.now)

    def contracts(self, network: Network) -> Contracts:
        """The contracts of its chain."""
        return Contracts(network, self._chain.deployment)

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Answer one call, from text as it comes over a wire."""
        return {"jsonrpc": "2.0", "id": 0, "result": self._result(method, params)}

    def _result(self, method: str, params: Any) -> Any:
        if method == "eth_chainId":
            return hex(CHAIN_ID)
        if method == "eth_getBlockByNumber":
            name = params[0]
            number = self._chain.height if name == "latest" else int(name, 16)
            return json.loads(self._blocks[number])
        if method == "eth_getLogs":
            first, last = (int(params[0][bound], 16) for bound in ("fromBlock", "toBlock"))
            texts = (self._logs[number] for number in range(first, last + 1))
            return json.loads(f"[{','.join(text for text in texts if text)}]")
        raise NotImplementedError(f"nobody should need {method} here")

    def _write_logs(self, number: int) -> str:
        return ",".join(json.dumps(_log(event)) for event in self._chain.events_of(number))

    def _write_block(self, number: int) -> str:
        block = self._chain.block(number)
        bloom = 0
        for event in self._chain.events_of(number):
            log = _log(event)
            bloom |= bloom_of(bytes.fromhex(each[2:]) for each in (log["address"], *log["topics"]))
        return json.dumps(
            {
                "number": hex(number),
                "hash": "0x" + block.hash.hex(),
                "parentHash": "0x" + _block_hash(number - 1).hex(),
                "timestamp": hex(int(block.timestamp.timestamp())),
                "logsBloom": f"0x{bloom:0512x}",
            }
        )


def account(kind: str, number: int) -> Address:
    """An address that follows from a name."""
    return _checksummed("0x" + word(kind, number)[:20].hex())


def word(kind: str, number: int) -> Digest:
    """32 bytes that follow from a name."""
    return Digest(hashlib.sha256(f"{kind}/{number}".encode()).digest())


@lru_cache(maxsize=2**19)
def _checksummed(text: str) -> Address:
    return address(text)


def _block_hash(number: int) -> Digest:
    return word("block", number)


def _log(event: Event) -> dict[str, Any]:
    topic, inputs = _ABI[type(event).__name__]
    words = [
        (each["indexed"], _encoded(getattr(event, snake_case(each["name"])))) for each in inputs
    ]
    return {
        "address": event.contract.lower(),
        "topics": [topic, *("0x" + value for indexed, value in words if indexed)],
        "data": "0x" + "".join(value for indexed, value in words if not indexed),
        "blockNumber": hex(event.block.number),
        "blockHash": "0x" + event.block.hash.hex(),
        "transactionHash": "0x" + event.transaction.hex(),
        "logIndex": hex(event.log_index),
        "removed": False,
    }


def _encoded(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return value[2:].lower().rjust(64, "0") if isinstance(value, str) else f"{value:064x}"


def _abi() -> dict[str, tuple[str, list[Any]]]:
    found = {}
    for contract in artifacts.CONTRACTS:
        for each in artifacts.load(contract).entries("event"):
            signature = f"{each['name']}({','.join(put['type'] for put in each['inputs'])})"
            found[each["name"]] = ("0x" + keccak(text=signature).hex(), each["inputs"])
    return found


_ABI: Final = _abi()
STEWARD: Final = account("steward", 0)
"""Whose gatekeeper decides."""
