"""Every sealed table: whose key its rows are sealed to, and what each seal is bound to.

Whoever seals, opens, rewraps or erases rows asks here. A new sealed table is one line in
`SEALED_TABLES`; a test holds the list to the tables of the database.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Table

from medaccord.core.identifiers import Digest
from medaccord.records.sealer import Columns, row_context
from medaccord.store import tables

__all__ = [
    "HOLDS",
    "OF_STEWARD",
    "SEALED_TABLES",
    "WEBHOOKS",
    "SealedTable",
    "entry_context",
    "index_context",
    "version_context",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedTable:
    """A table with sealed rows.

    Attributes:
        table: with the columns `ciphertext`, `wrapped_key` and `key_generation`.
        whose: the column that names whose key it is: a pseudonym, or an account of the patient
            (`patient_account` says whose that is).
        context: what the seal of a row is bound to, from the columns in `bound`.
    """

    table: Table
    whose: Column[Any]
    context: Callable[[Columns], bytes]

    @property
    def by_account(self) -> bool:
        """Whether `whose` holds accounts and not pseudonyms."""
        return self.whose.name == "patient"

    @property
    def bound(self) -> tuple[Column[Any], ...]:
        """What names a row, and what `context` is made from."""
        return tuple(self.table.c[name] for name in _BOUND[self.table.name])


def version_context(owner: str, record: Digest, version: int) -> bytes:
    """What the seal of a version of a record is bound to."""
    return b"medaccord/version/1" + bytes.fromhex(owner) + record + version.to_bytes(8, "big")


def index_context(owner: str, revision: int) -> bytes:
    """What the seal of an index is bound to."""
    return b"medaccord/index/1" + bytes.fromhex(owner) + revision.to_bytes(8, "big")


def entry_context(relationship: Digest, number: int) -> bytes:
    """What the seal of a log entry is bound to."""
    return row_context("audit_entry", relationship + number.to_bytes(8, "big"))


_BOUND: Final = {
    "record_version": ("id", "owner", "record", "version"),
    "record_index": ("owner", "revision"),
    "audit_entry": ("relationship", "number"),
    "request_inbox": ("digest",),
    "terms_opening": ("consent",),
    "reason_opening": ("emergency",),
    "legal_hold": ("id",),
    "webhook": ("id",),
}

SEALED_TABLES: Final = (
    SealedTable(
        table=tables.record_version,
        whose=tables.record_version.c.owner,
        context=lambda row: version_context(row["owner"], row["record"], row["version"]),
    ),
    SealedTable(
        table=tables.record_index,
        whose=tables.record_index.c.owner,
        context=lambda row: index_context(row["owner"], row["revision"]),
    ),
    SealedTable(
        table=tables.audit_entry,
        whose=tables.audit_entry.c.patient_ref,
        context=lambda row: entry_context(row["relationship"], row["number"]),
    ),
    SealedTable(
        table=tables.request_inbox,
        whose=tables.request_inbox.c.patient,
        context=lambda row: row_context("request_inbox", row["digest"]),
    ),
    SealedTable(
        table=tables.terms_opening,
        whose=tables.terms_opening.c.patient,
        context=lambda row: row_context("terms_opening", row["consent"]),
    ),
    SealedTable(
        table=tables.reason_opening,
        whose=tables.reason_opening.c.patient,
        context=lambda row: row_context("reason_opening", row["emergency"]),
    ),
)
"""All of them but `OF_STEWARD`."""

HOLDS: Final = SealedTable(
    table=tables.legal_hold,
    whose=tables.legal_hold.c.owner,
    context=lambda row: row_context("legal_hold", row["id"].to_bytes(8, "big")),
)
"""The reasons of legal holds; `whose` says whom a hold is on, and the steward's key seals it."""

WEBHOOKS: Final = SealedTable(
    table=tables.webhook,
    whose=tables.webhook.c.account,
    context=lambda row: row_context("webhook", row["id"].encode()),
)
"""Addresses and secrets of webhooks; `whose` says who is told, and the steward's key seals it."""

OF_STEWARD: Final = (HOLDS, WEBHOOKS)
"""The tables whose rows are about others and sealed to the steward's own key all the same."""
