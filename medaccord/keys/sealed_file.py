"""One file under a passphrase, written often: the passphrase opens a key, the key what it holds.

So a change costs no second of key derivation, and nobody has to keep the passphrase at hand.

Source: NIST SP 800-38D (GCM); NIST SP 800-57 part 1, 5.3.6 (key-encrypting keys).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Final, Literal, NoReturn, Self, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from medaccord.core.errors import InvalidInput, KeyMissing, KeyStoreFailed
from medaccord.keys import files
from medaccord.keys.passphrase import Passphrase
from medaccord.keys.sealed_key import STANDARD_COST, WALLET, SealedKey, damaged

MAX_BYTES: Final = 16 * 2**20
"""Longest file, in bytes, inclusive."""

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12

_T = TypeVar("_T")
_Hex = StringConstraints(pattern=r"^(?:[0-9a-f]{2})*$")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    profile: Literal["medaccord/wallet/1"] = WALLET
    key: SealedKey
    nonce: Annotated[str, _Hex, StringConstraints(min_length=24, max_length=24)]
    ciphertext: Annotated[str, _Hex, StringConstraints(min_length=32)]


class SealedFile:
    """A file that was opened. Threads and processes may share it: each change sees the last one.

    It is closed to others (mode 0600). Whoever is killed at any point leaves the whole old content
    or the whole new one.

    Warning: who copies the file can try passphrases on it for ever. A changed passphrase does not
    reach copies made before.

    Attributes:
        path: where it is.
    """

    __slots__ = ("_key", "_sealed", "path")

    def __init__(self, path: Path, sealed: SealedKey, key: bytes) -> None:
        """Use a key that was opened; `create` and `open` say it better."""
        self.path = path
        self._sealed = sealed
        self._key = key

    @classmethod
    def create(
        cls, path: Path, content: bytes, passphrase: Passphrase, *, cost: int = STANDARD_COST
    ) -> Self:
        """Make the file; its folder too, if need be.

        Args:
            path: where; nothing may be there.
            content: what it holds at first.
            passphrase: what will open it.
            cost: scrypt's n, a power of two; lower than `STANDARD_COST` is for tests.

        Raises:
            InvalidInput: something is there already.
            KeyStoreFailed: nothing can be written there.
        """
        made = cls(path, *_fresh_key(passphrase, cost))
        with _faults(path):
            if not path.parent.is_dir():
                files.private_folder(path.parent)
            if not files.write_once(path, made._encrypt(content)):
                raise InvalidInput(f"{path} is there already: open it, or choose another place")
        return made

    @classmethod
    def open(cls, path: Path, passphrase: Passphrase) -> Self:
        """Open the file.

        Raises:
            KeyMissing: there is none.
            InvalidInput: it is damaged, another's, or open to others.
            WrongPassphrase: the passphrase does not open it.
            KeyStoreFailed: it cannot be read.
        """
        with _faults(path):
            sealed = _read(path).key
            opened = cls(path, sealed, sealed.open(passphrase, where=str(path)))
            # Nothing is swept where somebody writes, or where nobody can.
            with suppress(OSError), opened._alone(wait=False):
                files.sweep(path.parent, of=path.name)
            return opened

    @staticmethod
    def unsealed(path: Path, passphrase: Passphrase) -> bytes:
        """What a file holds that is left as it is, such as a backup on a disk that is read alone.

        Raises:
            KeyMissing, InvalidInput, WrongPassphrase, KeyStoreFailed: as `open`.
        """
        with _faults(path):
            file = _read(path)
            key = file.key.open(passphrase, where=str(path))
            return SealedFile(path, file.key, key)._decrypt(file)

    def copy(self, path: Path) -> None:
        """Copy the file as it is, under the passphrase it has.

        Args:
            path: where; nothing may be there, and its folder is there already.

        Raises:
            InvalidInput: something is there already, or it cannot be written there.
            KeyMissing, InvalidInput, KeyStoreFailed: as `read`.
        """
        with _faults(self.path):
            file = _read(self.path)
            self._decrypt(file)  # what is damaged is no backup
        try:
            is_written = files.write_once(path, _encoded(file))
        except OSError as error:
            raise InvalidInput(f"{path} cannot be written: {error.strerror}") from error
        if not is_written:
            raise InvalidInput(f"{path} is there already: name another file")

    def read(self) -> bytes:
        """What it holds now.

        Raises:
            KeyMissing: it is gone.
            InvalidInput: it was changed by somebody without the key, or is open to others; or its
                passphrase was changed since it was opened.
            KeyStoreFailed: it cannot be read.
        """
        with _faults(self.path):
            return self._decrypt(_read(self.path))

    def change(self, step: Callable[[bytes], tuple[bytes, _T]]) -> _T:
        """Put other content in the place of what it holds; nobody else changes it meanwhile.

        Args:
            step: makes the new content of the old one, and a result; where it raises, nothing is
                changed.

        Returns:
            The result, once the content is on the disk.

        Raises:
            KeyMissing, InvalidInput, KeyStoreFailed: as `read`; nothing was changed then.
        """
        with _faults(self.path), self._alone():
            before = self._decrypt(_read(self.path))
            content, result = step(before)
            if content != before:
                files.replace(self.path, self._encrypt(content))
                files.sweep(self.path.parent, of=self.path.name)
            return result

    def change_passphrase(self, new: Passphrase, *, cost: int = STANDARD_COST) -> None:
        """Encrypt it under another passphrase and another key.

        Others that have it open must open it again.

        Raises:
            KeyMissing, InvalidInput, KeyStoreFailed: as `read`; nothing was changed then.
        """
        with _faults(self.path), self._alone():
            content = self._decrypt(_read(self.path))
            renewed = type(self)(self.path, *_fresh_key(new, cost))
            files.replace(self.path, renewed._encrypt(content))
            files.sweep(self.path.parent, of=self.path.name)
        self._sealed, self._key = renewed._sealed, renewed._key

    @contextmanager
    def _alone(self, *, wait: bool = True) -> Iterator[None]:
        name = f".{self.path.name}.lock"
        with files.locked(self.path.parent, alone=True, wait=wait, name=name):
            yield

    def _encrypt(self, content: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = AESGCM(self._key).encrypt(nonce, content, self._bound())
        return _encoded(_File(key=self._sealed, nonce=nonce.hex(), ciphertext=ciphertext.hex()))

    def _decrypt(self, file: _File) -> bytes:
        if file.key != self._sealed:
            raise InvalidInput(f"the passphrase of {self.path} was changed: open it again")
        nonce, ciphertext = bytes.fromhex(file.nonce), bytes.fromhex(file.ciphertext)
        try:
            return AESGCM(self._key).decrypt(nonce, ciphertext, self._bound())
        except InvalidTag:
            raise InvalidInput(f"{self.path} is damaged: restore it from its backup") from None

    def _bound(self) -> bytes:
        return f"{WALLET}\0{self._sealed.id}".encode()

    def __repr__(self) -> str:
        """Say where it is, never what it holds."""
        return f"{type(self).__name__}({str(self.path)!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse to be pickled or copied."""
        raise TypeError("a file that was opened is neither pickled nor copied")


def _fresh_key(passphrase: Passphrase, cost: int) -> tuple[SealedKey, bytes]:
    key = os.urandom(_KEY_BYTES)
    return SealedKey.seal(key, passphrase, kind=WALLET, public=b"", cost=cost), key


def _encoded(file: _File) -> bytes:
    return file.model_dump_json(indent=2).encode() + b"\n"


def _read(path: Path) -> _File:
    try:
        data = files.read_private(path, limit=MAX_BYTES, what="the wallet")
    except FileNotFoundError:
        raise KeyMissing(
            f"there is no wallet at {path}: make one with `medaccord account new --in-wallet`, or"
            " bring it back with `medaccord account restore --in-wallet`"
        ) from None
    try:
        file = _File.model_validate_json(data)
    except InvalidInput as error:
        raise InvalidInput(f"{path} is damaged: {error.problem}") from error
    except ValidationError as error:
        raise damaged(str(path), error) from None  # the cause may quote the file
    if file.key.kind != WALLET:
        raise InvalidInput(f"{path} is damaged: it holds a key of kind {file.key.kind}")
    return file


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyStoreFailed(
            f"the wallet {path} is out of reach: {error.strerror or error}"
        ) from error
