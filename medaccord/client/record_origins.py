"""Where released records are from, in FHIR: their pointers, and who anchored them."""

from __future__ import annotations

from collections.abc import Iterable

from hexbytes import HexBytes

from medaccord.chain import events
from medaccord.chain.deployment import Contracts
from medaccord.chain.reverts import translated
from medaccord.client.acting import Acting
from medaccord.client.believing import ReleasedRecord
from medaccord.core.anchors import Anchor
from medaccord.core.errors import ProofMismatch
from medaccord.core.identifiers import Address
from medaccord.fhir.document_reference import document_reference
from medaccord.fhir.naming import Element
from medaccord.fhir.provenance import provenance
from medaccord.fhir.resource import DIRECTORY_TYPES


def pointer_to(acting: Acting, record: ReleasedRecord, patient: Address) -> Element:
    """The DocumentReference that points to a record's version at this gatekeeper.

    Args:
        acting: Who read it there.
        record: Checked.
        patient: Whose it is, unless it is the steward's own.

    Raises:
        TransportError: The node does not answer.
    """
    name = acting.contracts.account_id
    is_own = record.name.partition("/")[0] in DIRECTORY_TYPES
    return document_reference(
        record.name,
        record.proof.pointer,
        steward=name(acting.steward),
        patient=None if is_own else name(patient),
        anchored_at=acting.network.block(record.proof.anchor.block_number).timestamp,
        superseded=record.superseded_by is not None,
        base_url=f"{acting.api.url}/fhir",
    )


def origins_of(contracts: Contracts, records: Iterable[ReleasedRecord]) -> tuple[Element, ...]:
    """A Provenance for each anchor that records stand under, in the order they come.

    Args:
        contracts: Of the chain that they were checked against.
        records: Checked.

    Raises:
        ProofMismatch: The chain does not hold an anchor, or not any more.
        TransportError: The node does not answer.
    """
    versions: dict[Anchor, dict[str, None]] = {}
    for record in records:
        versions.setdefault(record.proof.anchor, {})[f"{record.name}/{record.version}"] = None
    return tuple(_origin(contracts, anchor, list(found)) for anchor, found in versions.items())


def _origin(contracts: Contracts, anchor: Anchor, versions: list[str]) -> Element:
    appended = _appended(contracts, anchor)
    return provenance(
        versions,
        anchor,
        steward=contracts.account_id(anchor.account),
        by=appended.by,
        anchored_at=appended.block.timestamp,
        signature=_signature(contracts, appended),
    )


def _appended(contracts: Contracts, anchor: Anchor) -> events.Anchored:
    number = anchor.block_number
    for event in events.fetch(
        contracts.network, contracts, number, number, kind=events.Anchored, about=anchor.account
    ):
        if isinstance(event, events.Anchored) and (
            (event.transaction, event.topic, event.head)
            == (anchor.transaction, anchor.topic, anchor.head)
        ):
            return event
    raise ProofMismatch(f"the chain has no such append in block {number}")


def _signature(contracts: Contracts, appended: events.Anchored) -> bytes | None:
    """What the key signed, where somebody else sent the append for it straight to the contract."""
    anchors = contracts.anchors
    with translated():
        sent = contracts.network.web3.eth.get_transaction(HexBytes(appended.transaction))
    if sent["from"] == appended.by or sent.get("to") != anchors.address:
        return None
    _, arguments = anchors.decode_function_input(HexBytes(sent["input"]))
    signature: bytes = arguments["signature"]
    return signature
