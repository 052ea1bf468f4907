"""A seed phrase: a handful of words from which every account of a person is derived."""

from __future__ import annotations

from typing import Final, NoReturn, Self

from eth_account.hdaccount import generate_mnemonic, key_from_seed, seed_from_mnemonic
from eth_account.types import Language
from eth_utils.exceptions import ValidationError

from medaccord.core.errors import InvalidInput
from medaccord.keys.signer import LocalSigner

WORDS: Final = 12
"""Words of a fresh phrase: 128 bits of randomness and 4 of checksum."""

_PATH: Final = "m/44'/60'/0'/0/{index}"
_INDICES: Final = 2**31


class Seed:
    """A seed phrase. Whoever reads the words is the person: keep them on paper.

    A person uses a fresh account for every relationship, so that nobody sees that two of them
    belong together. Source: BIP-39 (words), BIP-32 and BIP-44 (accounts).
    """

    __slots__ = ("_seed", "_words")

    def __init__(self, words: str) -> None:
        """Use a phrase; `create` and `parse` say it better.

        Raises:
            InvalidInput: the words are no phrase of BIP-39, or their checksum is wrong.
        """
        self._words = " ".join(words.split()).lower()
        try:
            self._seed = seed_from_mnemonic(self._words, "")
        except ValidationError:
            # Neither the message nor the cause may carry the words into a log.
            raise InvalidInput(
                "these words are no seed phrase: check their spelling, number and order"
            ) from None

    @classmethod
    def create(cls) -> Self:
        """Make a fresh phrase of 12 English words from the system's randomness."""
        return cls(generate_mnemonic(WORDS, Language.ENGLISH))

    @classmethod
    def parse(cls, words: str) -> Self:
        """Read a phrase as a person typed it: any spacing, any capitals.

        Raises:
            InvalidInput: the words are no phrase of BIP-39, or their checksum is wrong.
        """
        return cls(words)

    def account(self, index: int) -> LocalSigner:
        """The account of an index, the same one every time.

        Args:
            index: from 0 to 2**31 - 1.

        Raises:
            InvalidInput: the index is outside that.
        """
        if not 0 <= index < _INDICES:
            raise InvalidInput(f"account {index} of a seed phrase: indices run from 0 to 2**31 - 1")
        return LocalSigner.unsafe_from_key(key_from_seed(self._seed, _PATH.format(index=index)))

    def unsafe_words(self) -> str:
        """The words, to be shown to their owner once. Unsafe: never log or store them."""
        return self._words

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse to be pickled or copied."""
        raise TypeError("a seed phrase is neither pickled nor copied")

    def __repr__(self) -> str:
        """Say what it is, never the words."""
        return "Seed(…)"
