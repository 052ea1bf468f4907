"""Records: imported, sealed to their patients, anchored, and checked each time they are opened."""

from medaccord.records.batches import Batch, Batches
from medaccord.records.evidence import Anchors, Standing
from medaccord.records.importer import Imported, Importer
from medaccord.records.patients import PatientAccounts, ensure_key
from medaccord.records.pseudonyms import Owner, Pseudonyms
from medaccord.records.repository import Found, Record, RecordRepository
from medaccord.records.sealer import Sealer

__all__ = [
    "Anchors",
    "Batch",
    "Batches",
    "Found",
    "Imported",
    "Importer",
    "Owner",
    "PatientAccounts",
    "Pseudonyms",
    "Record",
    "RecordRepository",
    "Sealer",
    "Standing",
    "ensure_key",
]
