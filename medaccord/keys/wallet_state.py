"""What a wallet holds, as a document: nothing here reads or writes a file.

Source: BIP-44, for indices and the gap limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

from medaccord.core.canonical import document_bytes
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import InvalidDocument, InvalidInput, KeyMissing
from medaccord.core.identifiers import Address, Digest, address, hex_digest
from medaccord.keys.seed import GAP_LIMIT, INDICES

PROFILE: Final = "medaccord/wallet-content/1"
"""Names the schema; another one is refused."""

_ACCOUNT = ("index", "account", "origin", "rotations", "used")
_WHERE = ("steward", "gatekeeper")


class Origin(StrEnum):
    """Whose key an account was made with."""

    DERIVED = "derived"
    """This phrase's: account and first controller are one."""

    IMPORTED = "imported"
    """Another wallet's: its key was handed in."""

    RECOVERED = "recovered"
    """One that is lost: guardians hand the account to a key of this phrase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletAccount:
    """One account of a person, which stands for one relationship.

    Attributes:
        index: its own, which no other account of the wallet has: its keys are derived with it.
        account: its address, which stays whatever key controls it.
        origin: whose key it was made with.
        rotations: how often it was handed to another key of the phrase; 0 for its first controller,
            which for a recovered account is the derived key that the guardians handed it to.
        used: whether it is known to stand on the chain.
        steward: with whom the relationship is; None where that is not known.
        gatekeeper: address of the steward's gatekeeper; None where that is not known.
    """

    index: int
    account: Address
    origin: Origin = Origin.DERIVED
    rotations: int = 0
    used: bool = False
    steward: Address | None = None
    gatekeeper: str | None = None

    def document(self) -> dict[str, Any]:
        """It as it is kept."""
        kept = {name: getattr(self, name) for name in (*_ACCOUNT, *_WHERE)}
        return {name: value for name, value in kept.items() if value is not None}

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """Read what `document` writes. Raises InvalidDocument."""
        reader = DocumentReader(document, what="an account", required=_ACCOUNT, optional=_WHERE)
        return cls(
            index=reader.integer("index"),
            account=reader.address("account"),
            origin=_origin(reader.text("origin")),
            rotations=reader.integer("rotations"),
            used=reader.boolean("used"),
            steward=reader.address("steward") if reader.has("steward") else None,
            gatekeeper=reader.text("gatekeeper") if reader.has("gatekeeper") else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCircle:
    """Guardians that a person chose for an account; the chain knows their commitment alone.

    Attributes:
        account: whose.
        salts: of each guardian, 32 random bytes.
        threshold: how many of them it takes.
    """

    account: Address
    salts: Mapping[Address, Digest] = field(repr=False)
    threshold: int

    def document(self) -> dict[str, Any]:
        """It as it is kept."""
        return {
            "account": self.account,
            "salts": {guardian: hex_digest(salt) for guardian, salt in self.salts.items()},
            "threshold": self.threshold,
        }

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """Read what `document` writes. Raises InvalidDocument."""
        reader = DocumentReader(
            document, what="a circle", required=("account", "salts", "threshold")
        )
        salts = reader.object("salts", required=reader.mapping("salts"))
        return cls(
            account=reader.address("account"),
            salts=MappingProxyType(
                {address(each): salts.digest(each) for each in reader.mapping("salts")}
            ),
            threshold=reader.integer("threshold", minimum=1),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardianship:
    """A key that a person holds as the guardian of somebody.

    Attributes:
        index: of the key.
        guardian: its address.
        handout: the document that the guarded person gave, as it came; None before.
    """

    index: int
    guardian: Address
    handout: str | None = field(default=None, repr=False)

    def document(self) -> dict[str, Any]:
        """It as it is kept."""
        kept = {"index": self.index, "guardian": self.guardian, "handout": self.handout}
        return {name: value for name, value in kept.items() if value is not None}

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """Read what `document` writes. Raises InvalidDocument."""
        reader = DocumentReader(
            document,
            what="a guardianship",
            required=("index", "guardian"),
            optional=["handout"],
        )
        return cls(
            index=reader.integer("index"),
            guardian=reader.address("guardian"),
            handout=reader.text("handout") if reader.has("handout") else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WalletState:
    """All that a wallet holds, at one moment. Whoever reads it is the person.

    Attributes:
        words: the seed phrase.
        next_index: the lowest index that was never given; None where that is not known yet, as for
            a phrase whose accounts nobody has looked for.
        accounts: in the order they came.
        imported: keys of other wallets, 32 bytes each, by account.
        circles: of its accounts, the latest last.
        guardianships: of others' accounts.
    """

    words: str
    next_index: int | None
    accounts: tuple[WalletAccount, ...] = ()
    imported: Mapping[Address, bytes] = field(default_factory=dict)
    circles: tuple[KeptCircle, ...] = ()
    guardianships: tuple[Guardianship, ...] = ()

    def encode(self) -> bytes:
        """It as text, profile `PROFILE`, in the form of RFC 8785."""
        document: dict[str, Any] = {
            "profile": PROFILE,
            "words": self.words,
            "accounts": [each.document() for each in self.accounts],
            "imported": {each: "0x" + key.hex() for each, key in self.imported.items()},
            "circles": [each.document() for each in self.circles],
            "guardianships": [each.document() for each in self.guardianships],
        }
        if self.next_index is not None:
            document["nextIndex"] = self.next_index
        return document_bytes(document)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote.

        Raises:
            InvalidDocument: it is something else, such as what a later version wrote.
        """
        reader = DocumentReader.open(
            data,
            profile=PROFILE,
            required=("words", "accounts", "imported", "circles", "guardianships"),
            optional=["nextIndex"],
        )
        imported = reader.object("imported", required=reader.mapping("imported"))
        return cls(
            words=reader.text("words"),
            next_index=reader.integer("nextIndex") if reader.has("nextIndex") else None,
            accounts=tuple(map(WalletAccount.parse, reader.mappings("accounts"))),
            imported=MappingProxyType(
                {address(each): imported.octets(each) for each in reader.mapping("imported")}
            ),
            circles=tuple(map(KeptCircle.parse, reader.mappings("circles"))),
            guardianships=tuple(map(Guardianship.parse, reader.mappings("guardianships"))),
        )

    def account(self, wanted: Address) -> WalletAccount:
        """The account of an address. Raises KeyMissing."""
        for each in self.accounts:
            if each.account == wanted:
                return each
        raise KeyMissing(f"the wallet holds no key of {wanted}: `account list` shows those it has")

    def fresh_index(self) -> int:
        """The index that the next account gets.

        Raises:
            InvalidInput: what was given is not known, no index is left, or the last `GAP_LIMIT`
                accounts were never used: restoring would not look beyond them.
        """
        if self.next_index is None:
            raise InvalidInput(
                "which accounts this phrase has is not known yet: restore the wallet from the"
                " chain first, so that none is given twice"
            )
        if self.next_index >= INDICES:
            raise InvalidInput("the phrase has no account left: make another wallet")
        unused = [each for each in self.accounts if not each.used]
        if len(unused) >= GAP_LIMIT and all(
            each.index >= self.next_index - GAP_LIMIT for each in unused[-GAP_LIMIT:]
        ):
            raise InvalidInput(
                f"the last {GAP_LIMIT} accounts were never used, and restoring looks no further:"
                f" use {unused[0].account}"
            )
        return self.next_index

    def with_new(
        self, account: Address, origin: Origin, steward: Address | None, gatekeeper: str | None
    ) -> tuple[Self, WalletAccount]:
        """This with one more account, at the next index, and that account.

        Raises:
            InvalidInput: the account is here already; or as `fresh_index`.
        """
        index = self.fresh_index()
        if any(each.account == account for each in self.accounts):
            raise InvalidInput(f"the wallet holds {account} already")
        new = WalletAccount(
            index=index, account=account, origin=origin, steward=steward, gatekeeper=gatekeeper
        )
        return replace(self, accounts=(*self.accounts, new), next_index=index + 1), new

    def with_changed(self, changed: WalletAccount) -> tuple[Self, WalletAccount]:
        """This with an account in the place of what was known of it, and that account."""
        accounts = tuple(
            changed if each.account == changed.account else each for each in self.accounts
        )
        return replace(self, accounts=accounts), changed

    def settled(self, found: Iterable[WalletAccount], next_index: int) -> Self:
        """This with what was found on the chain; nothing is taken away, and no index given twice.

        Raises:
            InvalidInput: an account that was found has an index that another one here has.
        """
        accounts = {each.account: each for each in self.accounts}
        for new in found:
            held = accounts.get(new.account, new)
            if any(each.index == held.index for each in accounts.values() if each is not held):
                raise InvalidInput(
                    f"{new.account} was found at index {new.index}, which another account of this"
                    " wallet has: restore into a new one"
                )
            accounts[new.account] = replace(
                held,
                rotations=new.rotations if held.index == new.index else held.rotations,
                used=True,
                steward=new.steward or held.steward,
                gatekeeper=new.gatekeeper or held.gatekeeper,
            )
        given = (each.index + 1 for each in accounts.values())
        following = max(next_index, self.next_index or 0, *given)
        return replace(self, accounts=tuple(accounts.values()), next_index=following)

    def __repr__(self) -> str:
        """Say what it is, never what it holds."""
        return "WalletState(…)"


def decoded(data: bytes, path: Path) -> WalletState:
    """What a wallet's file holds, as `WalletState.encode` wrote it.

    Raises:
        InvalidInput: it is something else.
    """
    try:
        return WalletState.decode(data)
    except InvalidDocument as error:
        raise InvalidInput(
            f"{path} holds what this version cannot read ({error.problem}): use a newer one"
        ) from error


def _origin(text: str) -> Origin:
    try:
        return Origin(text)
    except ValueError as error:
        raise InvalidDocument(f"unknown origin of an account: {text!r}") from error
