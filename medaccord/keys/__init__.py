"""Keys: who signs, a person's seed phrase and wallet, and the keys a steward keeps for patients."""

from medaccord.keys.key_folder import KeyFolder
from medaccord.keys.keystore import Keystore
from medaccord.keys.passphrase import Passphrase
from medaccord.keys.patient_keys import FolderPatientKeys, PatientKeys, PublicKey, StewardSecrets
from medaccord.keys.rpc_signer import RpcSigner
from medaccord.keys.seed import GAP_LIMIT, Seed
from medaccord.keys.signer import LocalSigner, Signer, unsafe_signer_from_environment
from medaccord.keys.wallet import Wallet
from medaccord.keys.wallet_state import Guardianship, KeptCircle, Origin, WalletAccount

__all__ = [
    "GAP_LIMIT",
    "FolderPatientKeys",
    "Guardianship",
    "KeptCircle",
    "KeyFolder",
    "Keystore",
    "LocalSigner",
    "Origin",
    "Passphrase",
    "PatientKeys",
    "PublicKey",
    "RpcSigner",
    "Seed",
    "Signer",
    "StewardSecrets",
    "Wallet",
    "WalletAccount",
    "unsafe_signer_from_environment",
]
