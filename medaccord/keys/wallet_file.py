"""A signing key under a passphrase, in the file format of every Ethereum wallet.

eth-account reads and writes it. What it would take on trust (how much memory to spend, which
cipher, whose key it is) is checked here first.

Source: Web3 secret storage definition, version 3.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, Self

from eth_account import Account
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from medaccord.core.errors import InvalidIdentifier, InvalidInput
from medaccord.core.identifiers import Address, address
from medaccord.keys.files import read_private
from medaccord.keys.passphrase import Passphrase
from medaccord.keys.sealed_key import (
    MAX_DOCUMENT_BYTES,
    STANDARD_COST,
    check_scrypt,
    damaged,
    wrong_passphrase,
)
from medaccord.keys.signer import LocalSigner

_MOST_ITERATIONS = 10_000_000
_Hex = Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-fA-F]{2})+$")]


def _hex(size: int, *, least: int | None = None) -> StringConstraints:
    bounds = size if least is None else f"{least},{size}"
    return StringConstraints(pattern=rf"^(?:[0-9a-fA-F]{{2}}){{{bounds}}}$")


class _Part(BaseModel):
    # Wallets add members of their own: they are theirs.
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class _Scrypt(_Part):
    dklen: Literal[32]
    n: int
    r: int
    p: int
    salt: _Hex

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        check_scrypt(self.n, self.r, self.p)
        return self


class _Pbkdf2(_Part):
    dklen: Literal[32]
    c: Annotated[int, Field(ge=1, le=_MOST_ITERATIONS)]
    prf: Literal["hmac-sha256"]
    salt: _Hex


class _CipherParameters(_Part):
    # A number to some wallets, eth-account among them: written without the zeros it begins with.
    iv: Annotated[str, _hex(16, least=1)]


class _Crypto(_Part):
    cipher: Literal["aes-128-ctr"]
    cipherparams: _CipherParameters
    ciphertext: Annotated[str, _hex(32)]
    mac: Annotated[str, _hex(32)]


class _ScryptCrypto(_Crypto):
    kdf: Literal["scrypt"]
    kdfparams: _Scrypt


class _Pbkdf2Crypto(_Crypto):
    kdf: Literal["pbkdf2"]
    kdfparams: _Pbkdf2


class _WalletFile(_Part):
    version: Literal[3]
    # Some of the first wallets wrote it with a capital, and not all wrote the address.
    crypto: Annotated[
        Annotated[_ScryptCrypto | _Pbkdf2Crypto, Field(discriminator="kdf")],
        Field(validation_alias=AliasChoices("crypto", "Crypto")),
    ]
    address: str | None = None


def encrypted(signer: LocalSigner, passphrase: Passphrase, *, cost: int = STANDARD_COST) -> bytes:
    """The file of a signer's key.

    Args:
        signer: whose key.
        passphrase: what will open it.
        cost: scrypt's n, a power of two; lower than `STANDARD_COST` is for tests.
    """
    document = Account.encrypt(
        signer.unsafe_key(),
        passphrase.unsafe_bytes(),  # type: ignore[arg-type]  # bytes serve; only text is declared
        kdf="scrypt",
        iterations=cost,
    )
    return json.dumps(document, indent=2).encode() + b"\n"


def decrypted(data: bytes, passphrase: Passphrase, *, where: str) -> LocalSigner:
    """The signer whose key is in a file.

    Args:
        data: the file.
        passphrase: what it was encrypted under.
        where: name of the file, for the error.

    Raises:
        InvalidInput: it is damaged, no such file, or asks for more than an honest one does.
        WrongPassphrase: the passphrase does not open it.
    """
    try:
        file = _WalletFile.model_validate_json(data)
    except ValidationError as error:
        raise damaged(where, error) from None  # the cause may quote the file
    except InvalidInput as error:
        raise InvalidInput(f"{where} is damaged: {error.problem}") from error
    document = file.model_dump()
    try:
        key = Account.decrypt(
            document,
            passphrase.unsafe_bytes(),  # type: ignore[arg-type]  # as above
        )
    except ValueError:  # the one thing left that it finds: the MAC does not fit
        raise wrong_passphrase(where) from None
    try:
        signer = LocalSigner.unsafe_from_key(bytes(key))
    except ValueError:
        raise InvalidInput(f"{where} is damaged: it holds no key of an account") from None
    # The MAC does not cover the initialisation vector, nor the address.
    if file.address is not None and _address(file.address, where) != signer.address:
        raise InvalidInput(
            f"{where} is damaged: it holds another key than that of its address;"
            " restore it from its backup"
        )
    return signer


def signer_of(path: Path, passphrase: Passphrase) -> LocalSigner:
    """The signer whose key is in a file of this user's.

    Raises:
        InvalidInput: the file cannot be read, is open to others, or as `decrypted`.
        WrongPassphrase: the passphrase does not open it.
    """
    try:
        data = read_private(path, limit=MAX_DOCUMENT_BYTES, what="the key file")
    except OSError as error:
        raise InvalidInput(f"the key file {path} cannot be read: {error.strerror}") from error
    return decrypted(data, passphrase, where=str(path))


def _address(text: str, where: str) -> Address:
    try:
        return address("0x" + text.lower().removeprefix("0x"))
    except InvalidIdentifier as error:
        raise InvalidInput(f"{where} is damaged: its address is none") from error
