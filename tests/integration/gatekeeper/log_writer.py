"""Appends to the audit log of a database for ever, telling each number once it is written.

Four threads do, so that what they write shares transactions.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

from medaccord.core.identifiers import address
from medaccord.gatekeeper.audit_log import AuditLog, Event
from medaccord.keys import FolderPatientKeys, StewardSecrets
from medaccord.records import Pseudonyms, Sealer
from medaccord.store import open_engine

STEWARD = address("0x" + 39 * "0" + "1")
SOMEBODY = Event(
    requester=None,
    by=None,
    action="search",
    query="Observation",
    outcome="released",
    reason="TREAT",
    basis="consent",
    consent=None,
    records=(),
    block=None,
)


def main(database_url: str, folder: Path) -> None:
    log = AuditLog(
        engine=open_engine(database_url),
        steward=STEWARD,
        own=Pseudonyms(StewardSecrets(folder / "keys")).steward,
        sealer=Sealer(FolderPatientKeys(folder / "keys")),
        clock=lambda: datetime.now(UTC),
    )

    def write() -> None:
        while True:
            print(f"{log.append(log.own(), SOMEBODY).entry.number}\n", end="", flush=True)

    for _ in range(4):
        Thread(target=write).start()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
