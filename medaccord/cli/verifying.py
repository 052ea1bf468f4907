"""``medaccord records verify``: records in files against the chain; no gatekeeper, and no key."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from medaccord.chain.deployment import Contracts
from medaccord.cli.acting import Flags, connected, looks
from medaccord.cli.fetching import given
from medaccord.cli.output import JsonOption, say
from medaccord.cli.progress import progress_bar
from medaccord.cli.record_files import Proven, read
from medaccord.client.evidence import ChainEvidence
from medaccord.core.canonical import parse_object
from medaccord.core.documents import instant_text
from medaccord.core.errors import (
    InvalidInput,
    ProofMismatch,
    RecordSuperseded,
    VerificationFailed,
)
from medaccord.core.identifiers import Address, address, hex_digest
from medaccord.core.proofs import RecordProof, verify_newest, verify_record
from medaccord.core.receipts import SignedReceipt


@looks
def verify(
    flags: Flags,
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="What `fetch` wrote, or a record with its proof."),
    ],
    proof: Annotated[
        Path | None,
        typer.Option("--proof", metavar="FILE", help="The proof of one record, as JSON."),
    ] = None,
    steward: Annotated[
        str | None,
        typer.Option("--by", metavar="ADDRESS", help="Who must have anchored them."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check records in files against the chain: what their steward anchored, byte for byte.

    Of each it says whether it is the newest version still; where the steward anchored something
    since, the proof cannot tell, and it is unknown. Receipts are checked, too.
    """
    if proof is not None and len(files) > 1:
        raise InvalidInput("a proof is for one record: name one file with --proof")
    by = None if steward is None else address(steward)
    checking = _Checking(connected(given(context, flags)), by)
    found = [each for file in files for each in read(file, proof)]
    records: list[dict[str, Any]] = []
    receipts = 0
    with progress_bar("Verifying") as told:
        for done, each in enumerate(found, start=1):
            if isinstance(each, Proven):
                records.append(checking.record(each))
            else:
                checking.receipt(each)
                receipts += 1
            told(done, len(found))
    if not found:
        raise InvalidInput(f"{files[0]} holds neither a record nor a receipt")
    counts = Counter(each["standing"] for each in records)
    say(
        {"records": records, "receipts": receipts},
        [
            *(
                f"{each['record']}\tversion {each['version']}\t{each['standing']}"
                for each in records
            ),
            f"{len(records)} records are as they were anchored, {counts['newest']} of them the"
            f" newest version for sure; {receipts} receipts are the steward's.",
        ],
        as_json=as_json,
    )


class _Checking:
    """Checks against the chain as it is when it begins."""

    def __init__(self, contracts: Contracts, steward: Address | None) -> None:
        self._network = contracts.network
        self._evidence = ChainEvidence(contracts)
        self._steward = steward
        self._head = contracts.network.head().number

    def record(self, found: Proven) -> dict[str, Any]:
        """What is proven of a record."""
        pointer, anchor = found.proof.pointer, found.proof.anchor
        try:
            verify_record(found.record, found.proof, self._evidence.is_anchored)
            self._check_steward(pointer.steward)
        except ProofMismatch as error:
            raise ProofMismatch(f"{found.where}: {error}") from error
        resource = parse_object(found.record)
        return {
            "record": f"{resource['resourceType']}/{resource['id']}",
            "version": pointer.version,
            "steward": pointer.steward,
            "anchoredAt": instant_text(self._network.block(anchor.block_number).timestamp),
            "block": anchor.block_number,
            "transaction": hex_digest(anchor.transaction),
            "standing": self._standing(found.proof),
        }

    def receipt(self, signed: SignedReceipt) -> None:
        """Check that a steward signed a receipt.

        Raises:
            VerificationFailed: it did not, or another one did.
        """
        self._check_steward(signed.receipt.steward)
        self._evidence.check_receipt(signed, signed.receipt.steward)

    def _standing(self, proof: RecordProof) -> str:
        try:
            verify_newest(proof, partial(self._evidence.is_newest, decided_at=self._head))
        except RecordSuperseded:
            return "superseded"
        except VerificationFailed:  # something was anchored since, or nothing shows it
            return "unknown"
        return "newest"

    def _check_steward(self, steward: Address) -> None:
        if self._steward not in (None, steward):
            raise ProofMismatch(f"it is by {steward}, not by {self._steward}")
