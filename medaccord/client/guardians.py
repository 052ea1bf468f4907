"""Guardians: whom a person trusts to hand an account to a new key, and what each of them does.

Nothing here is sent: what comes back is signed, or to be signed, and whoever pays sends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from medaccord.chain import actions
from medaccord.chain.actions import Action, SignedAction
from medaccord.chain.actions.defaults import nonce_or
from medaccord.chain.actions.registry import NonceKey
from medaccord.chain.deployment import Contracts
from medaccord.chain.guardians import GuardianCircle, GuardianPlace
from medaccord.client.guardian_documents import (
    SEALED_HANDOUT,
    CancellationApproval,
    GuardianCard,
    Handout,
    RecoveryApproval,
    RecoveryRequest,
    SealedHandout,
    Source,
)
from medaccord.client.salts import fresh_salt
from medaccord.core.canonical import document_bytes
from medaccord.core.documents import members_of
from medaccord.core.errors import CommitmentMismatch, InvalidInput, InvalidRequest, KeyMissing
from medaccord.core.identifiers import ZERO_DIGEST, AccountId, Address, Digest, digest
from medaccord.keys.signer import LocalSigner
from medaccord.keys.wallet import Wallet
from medaccord.keys.wallet_state import Guardianship, KeptCircle, WalletAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenGuardians:
    """Guardians that were chosen, and are kept in the wallet, but not named on the chain yet.

    Attributes:
        circle: the guardians, with their salts.
        action: names them on the chain; for the account's controller to sign. At once where the
            account has no guardians yet, else after the delay of a recovery.
        handouts: what each of them must be given, by guardian.
        sealed: the same, for each guardian's eyes alone.
    """

    circle: GuardianCircle
    action: Action
    handouts: Mapping[Address, Handout]
    sealed: Mapping[Address, SealedHandout]


class Guardians:
    """A person's own guardians: choosing them, and stopping a recovery with one of them."""

    def __init__(self, wallet: Wallet, contracts: Contracts) -> None:
        """Choose for the accounts of a wallet."""
        self._wallet = wallet
        self._contracts = contracts

    def choose(
        self, account: Address, cards: Iterable[GuardianCard], *, threshold: int
    ) -> ChosenGuardians:
        """Choose guardians for an account, in the place of any that it has.

        Args:
            account: which.
            cards: of the guardians, each given for this account alone.
            threshold: how many of them it takes, from 1 to all of them. With one, any of them can
                take the account; with all, none may be lost.

        Raises:
            KeyMissing: the account is not of this wallet.
            InvalidInput: a card came twice, is one's own, or was given for another account, which
                would tie the two together; or the threshold is outside its range.
            TransportError: the node does not answer.
        """
        held = self._wallet.account(account)
        given = list(cards)
        by_guardian = {card.guardian: card for card in given}
        if len(by_guardian) < len(given):
            raise InvalidInput("a card came twice: have each guardian give one of their own")
        self._check_apart(held, by_guardian.keys())
        circle = GuardianCircle(
            salts=MappingProxyType({guardian: fresh_salt() for guardian in by_guardian}),
            threshold=threshold,
        )
        action = actions.set_guardians(
            self._contracts,
            account=account,
            commitment=circle.commitment,
            by=self._wallet.signer(account).address,
        )
        # Before anything is signed: the chain would know of guardians whose salts are gone.
        self._wallet.keep_circle(
            KeptCircle(account=account, salts=circle.salts, threshold=circle.threshold)
        )
        handouts = {
            guardian: Handout(
                account=self._contracts.account_id(account),
                index=card.index,
                place=circle.place(guardian),
            )
            for guardian, card in by_guardian.items()
        }
        return ChosenGuardians(
            circle=circle,
            action=action,
            handouts=MappingProxyType(handouts),
            sealed=MappingProxyType(
                {each: handouts[each].sealed(card) for each, card in by_guardian.items()}
            ),
        )

    def circle(self, account: Address) -> GuardianCircle | None:
        """The guardians of an account that are in force; None where it has none.

        Raises:
            KeyMissing: this wallet did not choose them, as after it was restored: only the
                guardians themselves know.
            TransportError: the node does not answer.
        """
        current, *_ = self._contracts.call("Registry", "guardiansOf", account)
        commitment = digest(bytes(current))
        if commitment == ZERO_DIGEST:
            return None
        for kept in reversed(self._wallet.circles(account)):
            circle = GuardianCircle(salts=kept.salts, threshold=kept.threshold)
            if circle.commitment == commitment:
                return circle
        raise KeyMissing(
            f"the guardians of {account} were chosen with another wallet, or before this one was"
            " restored: choose them anew"
        )

    def cancel(self, approval: CancellationApproval) -> SignedAction:
        """Stop a recovery, together with one guardian. Takes the key that the account has now.

        Args:
            approval: of the guardian.

        Returns:
            What anybody may send; no gatekeeper relays it.

        Raises:
            KeyMissing: the account is not of this wallet.
            InvalidRequest: the account is of another chain.
            SignatureMismatch: the guardian did not sign it.
            TransportError: the node does not answer.
        """
        signer = self._wallet.signer(approval.account.address)
        action = cancellation_with(self._contracts, approval, by=signer.address)
        return actions.signed(action, signer)

    def _check_apart(self, held: WalletAccount, guardians: Iterable[Address]) -> None:
        seed = self._wallet.seed
        own = {each.account for each in self._wallet.accounts()}
        own |= {each.guardian for each in self._wallet.guardianships()}
        own |= {
            seed.controller(held.index, rotations).address
            for rotations in range(held.rotations + 2)
        }
        elsewhere = {
            guardian
            for kept in self._wallet.circles()
            if kept.account != held.account
            for guardian in kept.salts
        }
        for guardian in guardians:
            if guardian in own:
                raise InvalidInput(
                    f"{guardian} is a key of your own: its thief would be a guardian"
                )
            if guardian in elsewhere:
                raise InvalidInput(
                    f"{guardian} guards another account of yours, which would show that both are"
                    " one person's: ask for a card of its own"
                )


class Guardian:
    """What a person does as the guardian of others."""

    def __init__(self, wallet: Wallet, contracts: Contracts) -> None:
        """Use the guardians' keys of a wallet."""
        self._wallet = wallet
        self._contracts = contracts

    def card(self) -> GuardianCard:
        """A card for somebody who asks one to be a guardian; a fresh one for each account."""
        made = self._wallet.new_guardianship()
        public = self._wallet.seed.guardian_x25519(made.index).public_key().public_bytes_raw()
        return GuardianCard(guardian=made.guardian, index=made.index, key=digest(public))

    def take(self, source: Source) -> Handout:
        """Take a handout in, plain or sealed, and keep it in the wallet.

        Args:
            source: the document.

        Raises:
            InvalidDocument: it is no handout.
            KeyMissing: it is for another guardian.
            DecryptionFailed: it is sealed to another key, or was changed.
            ProofMismatch: it does not prove what it says.
            InvalidRequest: it is about an account of another chain.
            CommitmentMismatch: the chain knows of other guardians of that account, or of none yet.
            TransportError: the node does not answer.
        """
        members = members_of(source)
        if members.get("profile") == SEALED_HANDOUT:
            sealed = SealedHandout.parse(members)
            key = self._wallet.seed.guardian_x25519(sealed.index)
            handout = sealed.open(key.private_bytes_raw())
        else:
            handout = Handout.parse(members)
        self._check_in_force(handout.account, handout.place)
        text = document_bytes(handout.document()).decode()
        self._wallet.keep_guardianship(
            Guardianship(index=handout.index, guardian=handout.place.guardian, handout=text)
        )
        return handout

    def handouts(self) -> tuple[Handout, ...]:
        """Every place that this wallet can prove."""
        kept = (each.handout for each in self._wallet.guardianships())
        return tuple(Handout.parse(text) for text in kept if text is not None)

    def approve(self, request: RecoveryRequest) -> RecoveryApproval:
        """Approve that an account is handed to a new key.

        Warning: be sure that it is the person who asks, by seeing or calling them: enough guardians
        can take the account.

        Args:
            request: as the person gave it.

        Raises:
            KeyMissing: this wallet guards no such account.
            InvalidRequest: the request is over, of another chain, or about another recovery than
                the next one of that account.
            CommitmentMismatch: the account has other guardians by now.
            TransportError: the node does not answer.
        """
        handout, signer = self._guarded(request.account)
        if self._contracts.network.clock() > request.deadline:
            raise InvalidRequest(
                f"the request was good until {request.deadline}: have it made anew"
            )
        following = nonce_or(
            self._contracts, "Registry", request.account.address, NonceKey.RECOVERY, None
        )
        if request.nonce != following:
            raise InvalidRequest(
                f"the request is for recovery {request.nonce} of {request.account}, the next one"
                f" is {following}: have it made anew"
            )
        message = request.typed(self._contracts, signer.address)
        return RecoveryApproval(
            request=request, place=handout.place, signature=signer.sign(message)
        )

    def object_to(self, account: AccountId) -> CancellationApproval:
        """Help the account's controller to stop the recovery that is under way.

        Args:
            account: which.

        Raises:
            KeyMissing: this wallet guards no such account.
            InvalidRequest: no recovery of it is under way, or the account is of another chain.
            CommitmentMismatch: it was started by other guardians.
            TransportError: the node does not answer.
        """
        handout, signer = self._guarded(account)
        _, nonce, ready_at, _ = self._contracts.call("Registry", "recoveryOf", account.address)
        if not ready_at:
            raise InvalidRequest(f"no recovery of {account} is under way")
        message = actions.cancellation(
            self._contracts, account=account.address, guardian=signer.address, nonce=nonce
        )
        return CancellationApproval(
            account=account, nonce=nonce, place=handout.place, signature=signer.sign(message)
        )

    def _guarded(self, account: AccountId) -> tuple[Handout, LocalSigner]:
        """The place that counts for an account, and its key."""
        places = [each for each in self.handouts() if each.account == account]
        if not places:
            raise KeyMissing(
                f"{self._wallet.path} guards no account {account}: take its handout in"
            )
        for handout in reversed(places):
            try:
                self._check_in_force(account, handout.place)
            except CommitmentMismatch:
                continue
            return handout, self._wallet.seed.guardian(handout.index)
        raise CommitmentMismatch(f"{account} has other guardians by now")

    def _check_in_force(self, account: AccountId, place: GuardianPlace) -> None:
        """Refuse a place among guardians that the chain knows neither now nor scheduled."""
        _check_chain(self._contracts, account)
        current, following, _ = self._contracts.call("Registry", "guardiansOf", account.address)
        *_, recovering = self._contracts.call("Registry", "recoveryOf", account.address)
        known = {Digest(bytes(each)) for each in (current, following, recovering)}
        if place.circle.commitment not in known:
            raise CommitmentMismatch(
                f"the chain knows of no such guardians of {account}: they were not named yet, or"
                " others were named since"
            )


def cancellation_with(
    contracts: Contracts, objection: CancellationApproval, *, by: Address
) -> Action:
    """What stops a recovery together with one guardian, for the account's own key to sign.

    Args:
        contracts: where.
        objection: what the guardian gave.
        by: the key that the account has now.

    Raises:
        InvalidRequest: the account is of another chain.
        SignatureMismatch: the guardian did not sign it.
        TransportError: the node does not answer.
    """
    _check_chain(contracts, objection.account)
    objection.check(contracts)
    return actions.cancel_recovery(
        contracts,
        account=objection.account.address,
        circle=objection.place.circle,
        approval=objection.place.approval(objection.signature),
        by=by,
        nonce=objection.nonce,
    )


def _check_chain(contracts: Contracts, account: AccountId) -> None:
    if account.chain_id != contracts.deployment.chain_id:
        raise InvalidRequest(
            f"{account} is of another chain than {contracts.deployment.chain_id}: name its node"
        )
