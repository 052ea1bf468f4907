"""Keys: who signs, the seed phrase of a person, and the keys a steward keeps for its patients."""

from medaccord.keys.key_folder import KeyFolder
from medaccord.keys.keystore import Keystore
from medaccord.keys.passphrase import Passphrase
from medaccord.keys.patient_keys import FolderPatientKeys, PatientKeys, PublicKey, StewardSecrets
from medaccord.keys.rpc_signer import RpcSigner
from medaccord.keys.seed import Seed
from medaccord.keys.signer import LocalSigner, Signer, unsafe_signer_from_environment

__all__ = [
    "FolderPatientKeys",
    "KeyFolder",
    "Keystore",
    "LocalSigner",
    "Passphrase",
    "PatientKeys",
    "PublicKey",
    "RpcSigner",
    "Seed",
    "Signer",
    "StewardSecrets",
    "unsafe_signer_from_environment",
]
