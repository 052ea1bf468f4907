"""Everything a steward holds about a patient, in one file, with what proves it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from medaccord.client.acting import Acting
from medaccord.client.audit import PatientAudit
from medaccord.client.believing import ReleasedRecord
from medaccord.client.consents import PatientConsents
from medaccord.client.emergency import PatientEmergency, SeenEmergency
from medaccord.client.given_consents import GivenConsent
from medaccord.client.inbox import PatientInbox
from medaccord.client.openings import Openings
from medaccord.client.records import OwnRecords
from medaccord.core.canonical import document_bytes
from medaccord.core.documents import instant_text
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import hex_digest
from medaccord.keys.files import written_whole

PROFILE: Final = "medaccord/patient-export/1"
"""Names the form of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFile:
    """What an export came to.

    Attributes:
        path: The file.
        records: How many records, practitioners and the like not counted.
        consents: How many consents, ended ones included.
        log_lines: How many lines of the log.
        bytes: Length of the file.
    """

    path: Path
    records: int
    consents: int
    log_lines: int
    bytes: int


class PatientExport:
    """Writes what `Patient.export` says."""

    def __init__(
        self,
        acting: Acting,
        *,
        records: OwnRecords,
        consents: PatientConsents,
        emergency: PatientEmergency,
        inbox: PatientInbox,
        audit: PatientAudit,
    ) -> None:
        """Read through a patient's own objects, so that all is checked as it always is."""
        self._acting = acting
        self._records = records
        self._consents = consents
        self._emergency = emergency
        self._inbox = inbox
        self._audit = audit

    def write(self, path: Path) -> ExportedFile:
        """Write the file; see `Patient.export`."""
        try:
            with written_whole(path) as out:
                records, consents, lines = self._write(out)
        except OSError as error:
            raise InvalidRequest(f"{path} cannot be written: {error.strerror}") from error
        return ExportedFile(
            path=path,
            records=records,
            consents=consents,
            log_lines=lines,
            bytes=path.stat().st_size,
        )

    def _write(self, out: IO[bytes]) -> tuple[int, int, int]:
        acting = self._acting
        found = self._records.everything()
        head = {
            "profile": PROFILE,
            "account": str(acting.contracts.account_id(acting.account)),
            "steward": str(acting.contracts.account_id(acting.steward)),
            "exportedAt": instant_text(acting.network.clock()),
        }
        # The records are written as they come: the bytes that were anchored, and nothing else.
        out.write(document_bytes(head)[:-1] + b',"records":[\n')
        records = _write_items(out, map(_record, found))
        out.write(b'\n],"included":[\n')
        _write_items(out, map(_record, found.included))
        openings = Openings.fetch(acting.session)
        out.write(b'\n],"consents":[\n')
        given = self._consents.history()
        consents = _write_items(out, (_consent(each, openings) for each in given))
        out.write(b'\n],"emergencies":[\n')
        _write_items(out, (_emergency(each, openings) for each in self._emergency.list()))
        out.write(b'\n],"requests":[\n')
        asked = self._inbox.list(None)
        _write_items(out, (document_bytes(each.request.document()) for each in asked))
        out.write(b'\n],"receipts":[\n')
        _write_items(out, (document_bytes(each.document()) for each in found.receipts))
        log = self._audit.verify()  # last, so that it holds the reads of this export
        out.write(b'\n],"log":[\n')
        lines = _write_items(out, (entry.document_bytes for entry in log.entries))
        proof = None if log.proof is None else log.proof.document()
        tail = document_bytes({"logErased": list(log.erased), "logProof": proof})
        out.write(b"\n]," + tail[1:] + b"\n")
        return records, consents, lines


def _record(released: ReleasedRecord) -> bytes:
    proof = document_bytes(released.proof.document())
    return b'{"record":' + released.record + b',"proof":' + proof + b"}"


def _consent(consent: GivenConsent, openings: Openings) -> bytes:
    opening = openings.terms_of(consent.consent_id, consent.terms)
    return document_bytes(
        {
            "opening": None if opening is None else opening.document(),
            "consent": hex_digest(consent.consent_id),
            "grantee": consent.grantee,
            "issued": instant_text(consent.issued),
            "validFrom": instant_text(consent.valid_from),
            "expires": instant_text(consent.expires),
            "status": consent.status.value,
            "revoked": consent.revoked,
            "request": None if consent.request is None else hex_digest(consent.request),
            "terms": hex_digest(consent.terms),
            "by": consent.by,
            "transaction": hex_digest(consent.transaction),
        }
    )


def _emergency(seen: SeenEmergency, openings: Openings) -> bytes:
    opening = openings.reason_of(seen.emergency_id, seen.reason)
    return document_bytes(
        {
            "opening": None if opening is None else opening.document(),
            "emergency": hex_digest(seen.emergency_id),
            "grantee": seen.grantee,
            "openedAt": instant_text(seen.opened_at),
            "expires": instant_text(seen.expires),
            "open": seen.open,
            "reason": hex_digest(seen.reason),
        }
    )


def _write_items(out: IO[bytes], items: Iterable[bytes]) -> int:
    count = 0
    for count, item in enumerate(items, start=1):
        out.write(item if count == 1 else b",\n" + item)
    return count
