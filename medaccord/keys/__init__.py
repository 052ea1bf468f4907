"""Keys: who signs, the seed phrase of a person, and the keys a steward keeps for its patients."""

from medaccord.keys.patient_keys import FolderPatientKeys, PatientKeys, StewardSecrets
from medaccord.keys.seed import Seed
from medaccord.keys.signer import LocalSigner, Signer

__all__ = [
    "FolderPatientKeys",
    "LocalSigner",
    "PatientKeys",
    "Seed",
    "Signer",
    "StewardSecrets",
]
