"""What a phrase, the chain and the gatekeepers bring back: accounts, and what each stands for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from medaccord.client.given_consents import GivenConsent
from medaccord.client.relationships import Relationship
from medaccord.core.blocks import BlockRef
from medaccord.core.emergency import EmergencyReason
from medaccord.core.errors import MedaccordError
from medaccord.core.identifiers import Address, Digest
from medaccord.core.terms import Terms
from medaccord.keys.wallet_state import Origin, WalletAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredConsent:
    """A consent, and what it covers.

    Attributes:
        given: As the chain has it; its status as of the block that was read last.
        terms: What it covers, checked against the chain; None where no gatekeeper of the account's
            stewards has them.
    """

    given: GivenConsent
    terms: Terms | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredEmergency:
    """Emergency access that an organisation opened, ended or not.

    Attributes:
        emergency_id: Its id.
        grantee: The organisation.
        opened_at: When.
        commitment: To the reason, as the chain has it.
        reason: Why, checked against that; None where no gatekeeper was told.
    """

    emergency_id: Digest
    grantee: Address
    opened_at: datetime
    commitment: Digest
    reason: EmergencyReason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredAccount:
    """An account of the phrase.

    Attributes:
        account: Its address.
        index: Of its keys.
        origin: DERIVED, or RECOVERED for any other account that was handed to a derived key: by
            guardians, or by rotating an account of another wallet.
        controller: The key that acts for it now.
        rotations: How often it was handed to a key of the phrase, up to the last one that is.
        held: Whether the phrase has the controller's key. Where it has not, somebody else rotated
            or recovered the account, or a recovery to the phrase was not completed.
        relationships: With stewards, each once, in order of beginning; ended ones included.
        consents: All it gave, in the order of the chain; ended ones included.
        emergencies: All emergency access to its records, in the order of the chain.
    """

    account: Address
    index: int
    origin: Origin
    controller: Address
    rotations: int
    held: bool
    relationships: tuple[Relationship, ...]
    consents: tuple[RestoredConsent, ...]
    emergencies: tuple[RestoredEmergency, ...]

    @property
    def is_open(self) -> bool:
        """Whether every consent and every emergency has its opening."""
        return all(each.terms is not None for each in self.consents) and all(
            each.reason is not None for each in self.emergencies
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreProblem:
    """A gatekeeper that did not say what it should; everything else was restored all the same.

    Attributes:
        account: About which account it was asked.
        steward: Whose gatekeeper.
        error: What came of it; TransportError also where no address of it is known.
    """

    account: Address
    steward: Address
    error: MedaccordError


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """All that a phrase, the chain and the gatekeepers bring back.

    Attributes:
        block: The last block that was read.
        accounts: By their index.
        delegated: Accounts of others that a key of the phrase may act for.
        next_index: The lowest index at which nothing was found, nor beyond: the next account's.
        gatekeepers: Addresses of gatekeepers, by steward, as they were handed in.
        problems: What could not be asked; empty where all openings that there are were found.
    """

    block: BlockRef
    accounts: tuple[RestoredAccount, ...]
    delegated: tuple[Address, ...]
    next_index: int
    gatekeepers: dict[Address, str]
    problems: tuple[RestoreProblem, ...]

    def for_wallet(self) -> tuple[WalletAccount, ...]:
        """The accounts as `Wallet.settle` takes them."""
        return tuple(self._for_wallet(each) for each in self.accounts)

    def _for_wallet(self, found: RestoredAccount) -> WalletAccount:
        # One relationship an account is what a wallet makes; of several, the latest counts.
        steward = found.relationships[-1].steward if found.relationships else None
        return WalletAccount(
            index=found.index,
            account=found.account,
            origin=found.origin,
            rotations=found.rotations,
            used=True,
            steward=steward,
            gatekeeper=None if steward is None else self.gatekeepers.get(steward),
        )
