"""A folder of encrypted keys, a file each: accounts' signing keys, and X25519 keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from medaccord.core.errors import InvalidInput, KeyMissing
from medaccord.core.identifiers import Address, Digest, address, digest, hex_digest
from medaccord.keys.files import (
    destroy,
    locked,
    private_folder,
    read_private,
    replace,
    sweep,
    write_once,
)
from medaccord.keys.passphrase import Passphrase
from medaccord.keys.sealed_key import MAX_DOCUMENT_BYTES, STANDARD_COST, X25519, SealedKey
from medaccord.keys.signer import LocalSigner
from medaccord.keys.wallet_file import encrypted, signer_of

# Ours, or as geth names them: files of other wallets can be put into the folder as they are.
_ACCOUNT: Final = re.compile(r"(?:account-|UTC--[0-9TZ.:-]+--)(?P<key>[0-9a-f]{40})(?:\.json)?")
_X25519: Final = re.compile(r"x25519-(?P<key>[0-9a-f]{64})\.json")


class Keystore:
    """Encrypted keys in a folder of this machine, each under a passphrase of its own.

    Files are 0600 and the folder 0700; a file that others can read is refused. Every change leaves
    either the old file or the new one, whole and on disk, at any moment.

    Warning: who copies a file can try passphrases on it for ever. A changed passphrase does not
    reach copies and backups made before: where one leaked, use another key.

    Attributes:
        folder: where the files are.
    """

    __slots__ = ("_cost", "folder")

    def __init__(self, folder: Path, *, cost: int = STANDARD_COST) -> None:
        """Use a folder; it is made when the first key is put there.

        Args:
            folder: where the files are.
            cost: scrypt's n, a power of two; lower than `STANDARD_COST` is for tests.
        """
        self.folder = folder
        self._cost = cost

    def addresses(self) -> tuple[Address, ...]:
        """The accounts whose keys are here, in ascending order."""
        return tuple(sorted({address(f"0x{key}") for key in self._named(_ACCOUNT)}))

    def file(self, account: Address) -> Path:
        """The file with the key of an account.

        Raises:
            KeyMissing: no key of it is here.
        """
        path = self._named(_ACCOUNT).get(account[2:].lower())
        if path is None:
            raise KeyMissing(f"{self.folder} holds no key of {account}")
        return path

    def create(self, passphrase: Passphrase) -> Address:
        """Make a fresh account, encrypted on disk when this returns."""
        return self.add(LocalSigner.create(), passphrase)

    def add(self, signer: LocalSigner, passphrase: Passphrase) -> Address:
        """Keep the key of a signer.

        Raises:
            InvalidInput: the key is here already, under its own passphrase.
        """
        account = signer.address
        if account not in self.addresses():
            content = encrypted(signer, passphrase, cost=self._cost)
            if self._write_once(f"account-{account[2:].lower()}.json", content):
                return account
        raise InvalidInput(f"{self.folder} holds the key of {account} already")

    def add_file(self, file: Path, passphrase: Passphrase) -> Address:
        """Keep the key of another wallet's file, such as geth's, under the passphrase it has.

        Raises:
            InvalidInput: the file cannot be read, is none, or its key is here already.
            WrongPassphrase: the passphrase does not open it.
        """
        return self.add(signer_of(file, passphrase), passphrase)

    def unlock(self, account: Address, passphrase: Passphrase) -> LocalSigner:
        """The signer of an account.

        Raises:
            KeyMissing: no key of it is here.
            WrongPassphrase: the passphrase does not open its file.
            InvalidInput: the file is damaged, another's, or open to others.
        """
        path = self.file(account)
        signer = signer_of(path, passphrase)
        if signer.address != account:
            raise InvalidInput(f"{path} holds the key of {signer.address}, not what its name says")
        return signer

    def change_passphrase(self, account: Address, old: Passphrase, new: Passphrase) -> None:
        """Encrypt the key of an account under another passphrase.

        Raises:
            KeyMissing, WrongPassphrase, InvalidInput: as `unlock`; nothing was changed then.
        """
        signer = self.unlock(account, old)
        self._replace(self.file(account), encrypted(signer, new, cost=self._cost))

    def remove(self, account: Address) -> None:
        """Destroy the file of an account: without a copy, its key is gone for good.

        Raises:
            KeyMissing: no key of it is here.
        """
        destroy(self.file(account))

    def x25519_keys(self) -> tuple[Digest, ...]:
        """The public halves of the X25519 keys here, 32 bytes each, in ascending order."""
        return tuple(sorted(digest(f"0x{key}") for key in self._named(_X25519)))

    def create_x25519(self, passphrase: Passphrase) -> Digest:
        """Make a fresh X25519 key and return its public half, 32 bytes."""
        return self.add_x25519(X25519PrivateKey.generate(), passphrase)

    def add_x25519(self, key: X25519PrivateKey, passphrase: Passphrase) -> Digest:
        """Keep an X25519 key, and return its public half, 32 bytes.

        Raises:
            InvalidInput: the key is here already, under its own passphrase.
        """
        public = digest(key.public_key().public_bytes_raw())
        content = self._sealed(key, passphrase)
        if not self._write_once(f"x25519-{public.hex()}.json", content):
            raise InvalidInput(f"{self.folder} holds the X25519 key {hex_digest(public)} already")
        return public

    def unlock_x25519(self, public: Digest, passphrase: Passphrase) -> X25519PrivateKey:
        """The private half of an X25519 key.

        Raises:
            KeyMissing: it is not here.
            WrongPassphrase: the passphrase does not open its file.
            InvalidInput: the file is damaged, another's, or open to others.
        """
        path = self._x25519(public)
        secret = SealedKey.decode(_read(path), kind=X25519, where=str(path)).open(
            passphrase, where=str(path)
        )
        key = X25519PrivateKey.from_private_bytes(secret)
        if key.public_key().public_bytes_raw() != public:
            raise InvalidInput(f"{path} holds another key than its name says")
        return key

    def change_x25519_passphrase(self, public: Digest, old: Passphrase, new: Passphrase) -> None:
        """Seal an X25519 key under another passphrase.

        Raises:
            KeyMissing, WrongPassphrase, InvalidInput: as `unlock_x25519`; nothing was changed then.
        """
        key = self.unlock_x25519(public, old)
        self._replace(self._x25519(public), self._sealed(key, new))

    def remove_x25519(self, public: Digest) -> None:
        """Destroy the file of an X25519 key: without a copy, it is gone for good.

        Raises:
            KeyMissing: it is not here.
        """
        destroy(self._x25519(public))

    def _write_once(self, name: str, content: bytes) -> bool:
        with locked(private_folder(self.folder), alone=False):
            return write_once(self.folder / name, content)

    def _replace(self, path: Path, content: bytes) -> None:
        with locked(self.folder, alone=True):
            replace(path, content)
            sweep(self.folder)  # an earlier change may have been stopped before its wiping

    def _sealed(self, key: X25519PrivateKey, passphrase: Passphrase) -> bytes:
        sealed = SealedKey.seal(
            key.private_bytes_raw(),
            passphrase,
            kind=X25519,
            public=key.public_key().public_bytes_raw(),
            cost=self._cost,
        )
        return sealed.encode()

    def _x25519(self, public: Digest) -> Path:
        path = self._named(_X25519).get(public.hex())
        if path is None:
            raise KeyMissing(f"{self.folder} holds no X25519 key {hex_digest(public)}")
        return path

    def _named(self, form: re.Pattern[str]) -> dict[str, Path]:
        """Files whose names have a form, by the key that the name tells."""
        try:
            found = sorted(self.folder.iterdir(), reverse=True)
        except FileNotFoundError:
            return {}
        named = ((form.fullmatch(path.name), path) for path in found)
        return {match["key"]: path for match, path in named if match}


def _read(path: Path) -> bytes:
    try:
        return read_private(path, limit=MAX_DOCUMENT_BYTES, what="the key file")
    except OSError as error:
        raise InvalidInput(f"the key file {path} cannot be read: {error.strerror}") from error
