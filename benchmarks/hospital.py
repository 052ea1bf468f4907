"""A hospital to ask: its patients' records, consents and keys, made the way they come to be.

Accounts are enrolled, a file is imported, its batches are anchored and the terms of every consent
are handed in, by the package's own code; only the chain is generated (`benchmarks.hospital_chain`).
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Engine, insert, select, text, update

from benchmarks.hospital_chain import CONSENTS_EACH, HospitalChain, HospitalNode, terms_of
from benchmarks.patients import observation
from medaccord.core.canonical import document_bytes
from medaccord.fhir.resources import NORMAL
from medaccord.gatekeeper import BOUNDS
from medaccord.gatekeeper.foundation import Foundation
from medaccord.keys import LocalSigner
from medaccord.ledger.history import History
from medaccord.records import Batches, Importer
from medaccord.records.sealer import row_context
from medaccord.store import open_engine, reading, tables, writing

Each = TypeVar("Each")

SEARCHED: Final = 50
"""Observations that one search asks for; every tenth patient has a few more."""

_MANY: Final = 10  # one patient in so many has a thick file
_THICK: Final = 55
_BLOCKS_AT_ONCE: Final = 2_000
_ANCHORS_IN_A_BLOCK: Final = 100
_ROWS_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hospital:
    """How large it is, and where it lies.

    Attributes:
        patients: how many there are.
        records: of all patients together, about.
        folder: of its keys, and of its database where that is SQLite's.
        database_url: its database.
        height: how far its chain has come.
    """

    patients: int
    records: int
    folder: Path
    database_url: str
    height: int = 0

    def chain(self) -> HospitalChain:
        """Its chain, with nothing mined since the hospital was made."""
        made = HospitalChain(self.patients * CONSENTS_EACH)
        made.grow_to(self.height)
        return made

    def observations(self, patient: int) -> int:
        """How many Observations a patient has."""
        thick = min(_THICK, self.records // max(1, self.patients // _MANY)) - 1
        if patient % _MANY == 0:
            return thick
        rest = self.records - (thick + 1) * -(-self.patients // _MANY)
        return max(1, rest // max(1, self.patients - self.patients // _MANY) - 1)

    def lay(self, node: HospitalNode, chain: HospitalChain) -> Foundation:
        """Open its database and its keys."""
        return Foundation.lay(
            steward=chain.steward,
            signer=LocalSigner.create(),
            network=node.network(),
            deployment=chain.deployment,
            engine=open_engine(self.database_url),
            keys_folder=self.folder / "keys",
            passphrase=None,
            bounds=BOUNDS,
            poll_interval=timedelta(seconds=1),
        )


def identity(patient: int, number: int) -> str:
    """The id of one of a patient's Observations."""
    return f"{patient}-{number}"


def make(hospital: Hospital) -> int:
    """Fill an empty database; how far its chain has come then."""
    chain = hospital.chain()
    node = HospitalNode(chain)
    engine = open_engine(hospital.database_url)
    history = History(engine, node.network(), node.contracts(node.network()))
    _tell("consents")
    _append(history, chain, 1, chain.height)
    base = hospital.lay(node, chain)
    _tell("patients")
    owners = [base.names.patient(f"patient-{number}") for number in range(hospital.patients)]
    for number, owner in enumerate(owners):
        base.accounts.enrol(chain.patient(number), owner, at=base.clock())
    _tell("openings")
    _hand_in_terms(base, chain, hospital)
    _tell("records")
    _import(base, hospital)
    _tell("anchors")
    before = chain.height
    _anchor(base.engine, node, chain)
    _append(history, chain, before + 1, chain.height)
    base.engine.dispose()
    engine.dispose()
    return chain.height


def copy(source: str, target: str) -> None:
    """Copy every row of one database into another one, which is empty."""
    here, there = open_engine(source), open_engine(target)
    for table in tables.metadata.sorted_tables:
        with reading(here) as rows, writing(there) as connection:
            connection.execute(table.delete())
            found = rows.execution_options(yield_per=_ROWS_AT_ONCE).execute(select(table))
            for some in found.mappings().partitions():
                connection.execute(insert(table), [dict(each) for each in some])
    if there.dialect.name == "postgresql":
        _count_on(there)
    here.dispose()
    there.dispose()


def _count_on(engine: Engine) -> None:
    """Let keys that count up by themselves go on after those that were copied."""
    with writing(engine) as connection:
        for table in tables.metadata.sorted_tables:
            for column in table.primary_key.columns:
                place = {"table": table.name, "column": column.name}
                named = text("SELECT pg_get_serial_sequence(:table, :column)")
                if connection.scalar(named, place) is not None:
                    newest = connection.scalar(select(column).order_by(column.desc()).limit(1))
                    after = text("SELECT setval(pg_get_serial_sequence(:table, :column), :newest)")
                    connection.execute(after, {**place, "newest": newest or 1})


def _append(history: History, chain: HospitalChain, first: int, last: int) -> None:
    tip = chain.block(first - 1) if first > 1 else None
    for start in range(first, last + 1, _BLOCKS_AT_ONCE):
        stretch = chain.stretch(start, min(start + _BLOCKS_AT_ONCE - 1, last))
        history.append(stretch, after=tip, in_place_of=tip)
        tip = stretch.tip


def _hand_in_terms(base: Foundation, chain: HospitalChain, hospital: Hospital) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        table = tables.terms_opening
        for number in range(hospital.patients):
            owner = base.names.patient(f"patient-{number}")
            public = base.sealer.keys.public(owner)
            for place in range(CONSENTS_EACH):
                consent = chain.consent_id(number, place)
                document = document_bytes(terms_of(number, place).document())
                context = row_context(table.name, consent)
                yield {
                    "consent": consent,
                    "patient": chain.patient(number),
                    "received_at": base.clock(),
                    **base.sealer.seal(owner, document, context, to=public),
                }

    for some in _some(rows(), _ROWS_AT_ONCE):
        with writing(base.engine) as connection:
            connection.execute(insert(tables.terms_opening), some)


def _import(base: Foundation, hospital: Hospital) -> None:
    file = hospital.folder / "records.ndjson"
    dice = random.Random(hospital.patients)
    with file.open("w", encoding="utf-8") as out:
        for number in range(hospital.patients):
            patient = f"patient-{number}"
            records = [{"resourceType": "Patient", "id": patient, "gender": "female"}]
            records += (
                observation(dice, patient, identity(number, each))
                for each in range(hospital.observations(number))
            )
            out.writelines(json.dumps(each, separators=(",", ":")) + "\n" for each in records)
    importer = Importer(base.engine, base.sealer, base.names, base.steward, unlabelled=NORMAL)
    imported = importer.import_file(file, at=base.clock())
    if imported.left_out or imported.known:
        raise SystemExit("the file was not taken in whole: the figures would be of something else")
    file.unlink()


def _anchor(engine: Engine, node: HospitalNode, chain: HospitalChain) -> None:
    """Mine the anchor of every batch, and note it."""
    for some in _some(Batches(engine).unanchored(), _ANCHORS_IN_A_BLOCK):
        made = [chain.anchor(each.topic, each.root, place) for place, each in enumerate(some)]
        node.mine(made)
        noted = {"anchored_at": chain.clock(), "block_number": chain.height}
        with writing(engine) as connection:
            for batch, event in zip(some, made, strict=True):
                connection.execute(
                    update(tables.batch)
                    .where(tables.batch.c.id == batch.id)
                    .values(
                        transaction_hash=event.transaction, block_hash=event.block.hash, **noted
                    )
                )


def _some(found: Iterable[Each], most: int) -> Iterator[list[Each]]:
    rest = iter(found)
    while some := list(islice(rest, most)):
        yield some


def _tell(what: str) -> None:
    print(f"making {what}", file=sys.stderr, flush=True)
