"""Exporting everything a steward holds about a patient: records, and the gatekeeper's documents."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select

from medaccord.core.canonical import document_bytes
from medaccord.core.documents import instant_text
from medaccord.core.errors import KeyMissing
from medaccord.core.identifiers import Address, hex_digest
from medaccord.gatekeeper.audit_log import Event
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.log_pages import LogPages
from medaccord.records import Owner, RecordRepository
from medaccord.records.export import Document, Exported, ExportForm, export_to_file
from medaccord.records.sealed_rows import SEALED_TABLES
from medaccord.store import reading
from medaccord.store.tables import patient_account


class Exporting:
    """Exports patients' data, each time logged first."""

    def __init__(self, base: Foundation, *, repository: RecordRepository) -> None:
        self._engine = base.engine
        self._steward = base.steward
        self._accounts = base.accounts
        self._sealer = base.sealer
        self._ledger = base.ledger
        self._repository = repository
        self._log = base.log
        self._pages = LogPages(base.engine, base.sealer)

    def export(
        self, account: Address, path: Path, form: ExportForm, *, base: str | None = None
    ) -> Exported:
        """Write everything about a patient to a file, whole or not at all.

        That is: every record in its newest version, those that were superseded, the requests in the
        inbox, terms and reasons that were handed in, the audit log, and the accounts.

        Args:
            account: an account that stands for the patient; the log of each of its accounts tells
                of the export, before anything is opened.
            path: the file, for its owner's eyes alone.
            form: Bundle or NDJSON.
            base: where the records are served, for the fullUrl of each.

        Raises:
            AccessRefused: UNKNOWN_PATIENT; RECORD_UNVERIFIABLE, naming the record that is not what
                was anchored.
            DecryptionFailed: a document was changed in the database.
            KeyMissing: the patient's key is not there.
            LogMismatch: a line of the audit log was changed in the database, or is missing.
            StoreFailed: there is no room left, or the database is out of reach.
            TransportError: the chain is out of reach.
        """
        owner = self._accounts.owner_of(account)
        self._ledger.sync()
        accounts = self._accounts_of(owner)
        event = Event.by_steward(
            self._steward, "export", query=form.value, outcome="released", block=self._ledger.tip
        )
        for each in accounts:
            self._log.append(self._log.subject(each, owner), event)
        documents = self._documents(owner, accounts)
        return export_to_file(self._repository, account, path, form, documents=documents, base=base)

    def _documents(self, owner: Owner, accounts: dict[Address, str]) -> Iterator[Document]:
        listed = [{"account": each, "enrolledAt": at} for each, at in accounts.items()]
        yield Document(name="accounts", content=document_bytes({"accounts": listed}))
        for account in accounts:
            yield from self._handed_in(owner, account)
            for page in self._pages.all(self._log.subject(account, owner)):
                page.require_whole()
                for entry in page.entries:
                    name = f"audit_entry/{account}/{entry.number}"
                    yield Document(name=name, content=entry.document_bytes)

    def _handed_in(self, owner: Owner, account: Address) -> Iterator[Document]:
        """Requests, terms and reasons: what is sealed in rows that name an account."""
        for sealed in SEALED_TABLES:
            if not sealed.by_account:
                continue
            (key,) = sealed.table.primary_key.columns
            query = select(sealed.table).where(sealed.whose == account).order_by(key)
            with reading(self._engine) as connection:
                rows = connection.execute(query).mappings().all()
            for row in rows:
                try:
                    content = self._sealer.open(owner, row, sealed.context(row))
                except KeyMissing:  # a backup's, sealed to a key that was retired since
                    continue
                yield Document(name=f"{sealed.table.name}/{hex_digest(row[key])}", content=content)

    def _accounts_of(self, owner: Owner) -> dict[Address, str]:
        """When each account of a patient was enrolled."""
        query = select(patient_account).where(patient_account.c.patient_ref == owner)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(patient_account.c.enrolled_at)).all()
        return {Address(row.account): instant_text(row.enrolled_at) for row in rows}
