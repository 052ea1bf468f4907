"""A seed phrase: a handful of words from which every key of a person is derived.

| Path | What |
|---|---|
| `m/44'/60'/0'/0/{index}` | the account of a relationship |
| `m/44'/60'/{n}'/0/{index}` | its controller after the n-th rotation, n from 1 |
| `m/44'/60'/0'/1/{index}` | its X25519 key, by HKDF |
| `m/44'/60'/0'/2/{index}` | the key of a guardian, one for each account guarded |
| `m/44'/60'/0'/3/{index}` | the X25519 key beside that one, by HKDF |

Source: BIP-39 (words), BIP-32 and BIP-44 (paths), RFC 5869 (HKDF).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NoReturn, Self
from unicodedata import normalize

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from eth_account.hdaccount import generate_mnemonic, key_from_seed, seed_from_mnemonic
from eth_account.hdaccount.mnemonic import Mnemonic
from eth_account.types import Language
from eth_utils.exceptions import ValidationError

from medaccord.core.errors import InvalidInput
from medaccord.keys.signer import LocalSigner

WORDS: Final = 12
"""Words of a fresh phrase: 128 bits of randomness and 4 of checksum."""

INDICES: Final = 2**31
"""Indices run from 0 to one below it. Source: BIP-32."""

GAP_LIMIT: Final = 20
"""So many accounts in a row may stand nowhere on the chain. Source: BIP-44, address gap limit."""

_ACCOUNT: Final = "m/44'/60'/{rotations}'/0/{index}"
_BESIDE_ACCOUNT: Final = "m/44'/60'/0'/1/{index}"
_GUARDIAN: Final = "m/44'/60'/0'/2/{index}"
_BESIDE_GUARDIAN: Final = "m/44'/60'/0'/3/{index}"
_NUMBERED: Final = re.compile(r"[0-9]{1,2}[.):]?")
_NUMBERS: Final = (12, 15, 18, 21, 24)
_X25519_INFO: Final = b"medaccord/x25519/1"


class Seed:
    """A seed phrase. Whoever reads the words is the person: keep them on paper.

    A person uses a fresh account for every relationship, so that nobody sees that two of them
    belong together. Every method that takes an index or a number of rotations takes them from 0 to
    2**31 - 1, and raises InvalidInput for any other.
    """

    __slots__ = ("_seed", "_words")

    def __init__(self, words: str) -> None:
        """Use a phrase; `create` and `parse` say it better.

        Raises:
            InvalidInput: the words are no phrase of BIP-39, or their checksum is wrong.
        """
        typed = (each for each in words.lower().split() if not _NUMBERED.fullmatch(each))
        self._words = " ".join(typed)
        try:
            self._seed = seed_from_mnemonic(self._words, "")
        except ValidationError:
            # Neither the message nor the cause may carry the words into a log.
            fault = _fault(self._words.split())
            raise InvalidInput(f"these words are no seed phrase: {fault}") from None

    @classmethod
    def create(cls) -> Self:
        """Make a fresh phrase of 12 English words from the system's randomness."""
        return cls(generate_mnemonic(WORDS, Language.ENGLISH))

    @classmethod
    def parse(cls, words: str) -> Self:
        """Read a phrase as a person typed it: any spacing, any capitals, numbered or not.

        Raises:
            InvalidInput: the words are no phrase of BIP-39, or their checksum is wrong.
        """
        return cls(words)

    def account(self, index: int) -> LocalSigner:
        """The account of an index, the same one every time."""
        return self.controller(index, 0)

    def controller(self, index: int, rotations: int) -> LocalSigner:
        """The key that acts for an account after so many rotations; the account's own after none.

        Args:
            index: of the account.
            rotations: how often it was handed to another key of this phrase.
        """
        return LocalSigner.unsafe_from_key(self._derive(_ACCOUNT, index=index, rotations=rotations))

    def x25519(self, index: int) -> X25519PrivateKey:
        """The X25519 key beside the account of an index; it stays when the account is rotated."""
        return _x25519(self._derive(_BESIDE_ACCOUNT, index=index))

    def guardian(self, index: int) -> LocalSigner:
        """The key of a guardian; use one for each account guarded, so that nothing ties them."""
        return LocalSigner.unsafe_from_key(self._derive(_GUARDIAN, index=index))

    def guardian_x25519(self, index: int) -> X25519PrivateKey:
        """The X25519 key beside the key of a guardian."""
        return _x25519(self._derive(_BESIDE_GUARDIAN, index=index))

    def unsafe_words(self) -> str:
        """The words, to be shown to their owner once. Unsafe: never log or store them."""
        return self._words

    def _derive(self, path: str, **numbers: int) -> bytes:
        for name, number in numbers.items():
            if not 0 <= number < INDICES:
                raise InvalidInput(
                    f"{name} {number} of a seed phrase: they run from 0 to 2**31 - 1"
                )
        return key_from_seed(self._seed, path.format(**numbers))

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse to be pickled or copied."""
        raise TypeError("a seed phrase is neither pickled nor copied")

    def __repr__(self) -> str:
        """Say what it is, never the words."""
        return "Seed(…)"


def _fault(words: Sequence[str]) -> str:
    """What is wrong with words that are no phrase, by their places: the words are secret."""
    if len(words) not in _NUMBERS:
        *some, last = _NUMBERS
        numbers = f"{', '.join(map(str, some))} or {last}"
        return f"there are {len(words)} of them, and a phrase has {numbers}"
    lists = (Mnemonic(each).wordlist for each in Mnemonic.list_languages_enum())
    places = (
        [at for at, word in enumerate(words, start=1) if normalize("NFKD", word) not in known]
        for known in map(frozenset, lists)
    )
    if unknown := min(places, key=len):
        named = ", ".join(map(str, unknown))
        return f"check the spelling of word {named}, which no list of such words has"
    return "one of them is another than it should be, or they are in another order"


def _x25519(key: bytes) -> X25519PrivateKey:
    """Apart from the key it is made of: neither signs or opens with the other."""
    secret = HKDF(algorithm=SHA256(), length=32, salt=None, info=_X25519_INFO).derive(key)
    return X25519PrivateKey.from_private_bytes(secret)
