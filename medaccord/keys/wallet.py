"""A wallet: one seed phrase, and which account of it stands for which relationship."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Self, TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from medaccord.core.errors import KeyMissing
from medaccord.core.identifiers import Address
from medaccord.keys.passphrase import Passphrase
from medaccord.keys.sealed_file import SealedFile
from medaccord.keys.sealed_key import STANDARD_COST
from medaccord.keys.seed import GAP_LIMIT, INDICES, Seed
from medaccord.keys.signer import LocalSigner
from medaccord.keys.wallet_state import (
    Guardianship,
    KeptCircle,
    Origin,
    WalletAccount,
    WalletState,
    decoded,
)

_T = TypeVar("_T")


class Wallet:
    """The wallet of a person, in one encrypted file. Threads and processes may share it.

    What it answers is what the file holds at that moment, and what it changes is on the disk when
    it returns. Whoever is killed at any point leaves a whole wallet, and an index that was given
    is never given again.

    Where the file is gone, the phrase brings back every key but the imported ones;
    `medaccord.client.restoring` finds which accounts there are. A file put back from a backup may
    not know the newest accounts: restore then, too.

    Every method raises InvalidInput or KeyMissing where the file is damaged or gone, and
    KeyStoreFailed where it cannot be read or written.
    """

    __slots__ = ("_file", "_seed")

    def __init__(self, file: SealedFile) -> None:
        """Use a file that was opened; `create`, `open` and `restore` say it better."""
        self._file = file
        self._seed = Seed.parse(decoded(file.read(), file.path).words)

    @classmethod
    def create(cls, path: Path, passphrase: Passphrase, *, cost: int = STANDARD_COST) -> Self:
        """Make a wallet with a fresh phrase; have `unsafe_words` written down before it is used.

        Args:
            path: its file; nothing may be there.
            passphrase: what will open it.
            cost: scrypt's n, a power of two; lower than `STANDARD_COST` is for tests.

        Raises:
            InvalidInput: something is there already.
        """
        fresh = WalletState(words=Seed.create().unsafe_words(), next_index=0)
        return cls(SealedFile.create(path, fresh.encode(), passphrase, cost=cost))

    @classmethod
    def open(cls, path: Path, passphrase: Passphrase) -> Self:
        """Open a wallet.

        Raises:
            KeyMissing: there is none.
            WrongPassphrase: the passphrase does not open it.
        """
        return cls(SealedFile.open(path, passphrase))

    @classmethod
    def restore(
        cls, words: str, path: Path, passphrase: Passphrase, *, cost: int = STANDARD_COST
    ) -> Self:
        """Make a wallet of a phrase that was used before.

        It gives no account until `settle` was told which there are: one might be given twice.

        Args:
            words: the phrase, as a person typed it.
            path: its file; nothing may be there.
            passphrase: what will open it.
            cost: scrypt's n, a power of two; lower than `STANDARD_COST` is for tests.

        Raises:
            InvalidInput: the words are no phrase, or something is there already.
        """
        state = WalletState(words=Seed.parse(words).unsafe_words(), next_index=None)
        return cls(SealedFile.create(path, state.encode(), passphrase, cost=cost))

    @classmethod
    def put_back(
        cls, backup: Path, path: Path, passphrase: Passphrase, *, cost: int = STANDARD_COST
    ) -> Self:
        """Make a wallet of a copy of its file, with imported keys and guardians' salts as well.

        It gives no account until `settle` was told which there are: the copy may be an old one.

        Args:
            backup: the copy, which is left as it is.
            path: its file; nothing may be there.
            passphrase: what opens the copy, and will open the wallet.
            cost: scrypt's n, a power of two; lower than `STANDARD_COST` is for tests.

        Raises:
            KeyMissing: there is no copy.
            InvalidInput: it is damaged, or something is there already.
            WrongPassphrase: the passphrase does not open it.
        """
        kept = decoded(SealedFile.unsealed(backup, passphrase), backup)
        state = replace(kept, next_index=None)
        return cls(SealedFile.create(path, state.encode(), passphrase, cost=cost))

    def back_up(self, path: Path) -> None:
        """Copy its file, under the passphrase it has.

        Raises:
            InvalidInput: something is there already, or it cannot be written there.
        """
        self._file.copy(path)

    @property
    def path(self) -> Path:
        """Where its file is."""
        return self._file.path

    @property
    def seed(self) -> Seed:
        """Its phrase, for whoever derives more than one account: restoring does."""
        return self._seed

    def unsafe_words(self) -> str:
        """The phrase, to be shown to its owner once. Unsafe: never log or store it."""
        return self._seed.unsafe_words()

    def change_passphrase(self, new: Passphrase, *, cost: int = STANDARD_COST) -> None:
        """Encrypt it under another passphrase; others that have it open must open it again."""
        self._file.change_passphrase(new, cost=cost)

    # --- Accounts ---

    def accounts(self) -> tuple[WalletAccount, ...]:
        """Its accounts, in the order they came."""
        return self._state().accounts

    def account(self, account: Address) -> WalletAccount:
        """One of them. Raises KeyMissing."""
        return self._state().account(account)

    def new_account(
        self, *, steward: Address | None = None, gatekeeper: str | None = None
    ) -> WalletAccount:
        """A fresh account, for one relationship.

        Args:
            steward: with whom it will be, if that is known.
            gatekeeper: address of the steward's gatekeeper, if that is known.

        Raises:
            InvalidInput: the wallet was restored and not settled yet; or the last 20 accounts were
                never used.
        """
        return self._change(
            lambda state: state.with_new(
                self._seed.account(state.fresh_index()).address,
                Origin.DERIVED,
                steward,
                gatekeeper,
            )
        )

    def import_account(
        self,
        signer: LocalSigner,
        *,
        steward: Address | None = None,
        gatekeeper: str | None = None,
    ) -> WalletAccount:
        """Take in an account of another wallet.

        The phrase brings its key back only after it was rotated to one of this wallet's.

        Args:
            signer: its key, which controls it.
            steward: with whom its relationship is, if that is known.
            gatekeeper: address of the steward's gatekeeper, if that is known.

        Raises:
            InvalidInput: the account is here already; or as `new_account`.
        """

        def step(state: WalletState) -> tuple[WalletState, WalletAccount]:
            state, new = state.with_new(signer.address, Origin.IMPORTED, steward, gatekeeper)
            keys = {**state.imported, signer.address: signer.unsafe_key()}
            return replace(state, imported=keys), new

        return self._change(step)

    def recover_account(
        self,
        account: Address,
        *,
        steward: Address | None = None,
        gatekeeper: str | None = None,
    ) -> WalletAccount:
        """Make place for an account whose key is lost, and which guardians hand to this wallet.

        `signer` gives the key that they name. An account that has its place keeps it.

        Args:
            account: which.
            steward: with whom its relationship is, if that is known.
            gatekeeper: address of the steward's gatekeeper, if that is known.

        Raises:
            InvalidInput: the account is here, and not lost; or as `new_account`.
        """

        def step(state: WalletState) -> tuple[WalletState, WalletAccount]:
            for each in state.accounts:
                if each.account == account and each.origin is Origin.RECOVERED:
                    return state, each
            return state.with_new(account, Origin.RECOVERED, steward, gatekeeper)

        return self._change(step)

    def used(
        self,
        account: Address,
        *,
        steward: Address | None = None,
        gatekeeper: str | None = None,
    ) -> WalletAccount:
        """Note that an account stands on the chain, and with whom its relationship is.

        Args:
            account: which.
            steward: its steward; as it was unless given.
            gatekeeper: address of the steward's gatekeeper; as it was unless given.

        Raises:
            KeyMissing: it is not of this wallet.
        """

        def step(state: WalletState) -> tuple[WalletState, WalletAccount]:
            held = state.account(account)
            return state.with_changed(
                replace(
                    held,
                    used=True,
                    steward=steward or held.steward,
                    gatekeeper=gatekeeper or held.gatekeeper,
                )
            )

        return self._change(step)

    def settle(self, found: Iterable[WalletAccount], *, next_index: int) -> None:
        """Take in what restoring found; what the wallet knows already is brought up to date.

        Args:
            found: accounts of this phrase.
            next_index: the lowest index that nothing was found at, nor beyond.

        Raises:
            InvalidInput: an account that was found has an index that another one here has.
        """
        self._change(lambda state: (state.settled(found, next_index), None))

    # --- Keys ---

    def signer(self, account: Address) -> LocalSigner:
        """The key that controls an account, as far as the wallet was told. Raises KeyMissing."""
        state = self._state()
        return self._signer(state, state.account(account))

    def next_signer(self, account: Address) -> LocalSigner:
        """The key to rotate an account to; the same one until `rotated`. Raises KeyMissing."""
        held = self.account(account)
        return self._seed.controller(held.index, held.rotations + 1)

    def rotated(self, account: Address, controller: Address) -> WalletAccount:
        """Note which key controls an account now, as the chain has it.

        Call it after a rotation, and whenever the chain and the wallet might differ, as after a
        crash in between.

        Args:
            account: which.
            controller: who controls it on the chain.

        Raises:
            KeyMissing: it is not of this wallet, or none of its keys is that controller: somebody
                else has the account.
        """

        def step(state: WalletState) -> tuple[WalletState, WalletAccount]:
            held = state.account(account)
            for rotations in range(held.rotations + GAP_LIMIT + 1):
                now = replace(held, rotations=rotations, used=True)
                if self._signer(state, now).address == controller:
                    return state.with_changed(now)
            raise KeyMissing(
                f"{controller} controls {account}, and that is no key of this wallet: somebody"
                " else rotated or recovered it"
            )

        return self._change(step)

    def x25519(self, account: Address) -> X25519PrivateKey:
        """The X25519 key beside an account; it stays when the account is rotated.

        Raises:
            KeyMissing: the account is not of this wallet.
        """
        return self._seed.x25519(self.account(account).index)

    # --- Guardians ---

    def keep_circle(self, circle: KeptCircle) -> None:
        """Keep guardians that were chosen for an account; earlier ones stay beside them."""

        def step(state: WalletState) -> tuple[WalletState, None]:
            if circle in state.circles:
                return state, None
            return replace(state, circles=(*state.circles, circle)), None

        self._change(step)

    def circles(self, account: Address | None = None) -> tuple[KeptCircle, ...]:
        """Guardians that were ever chosen for an account, or for any of them, the latest last."""
        circles = self._state().circles
        return tuple(each for each in circles if account in (None, each.account))

    def new_guardianship(self) -> Guardianship:
        """A fresh key, to be a guardian with: one for each account guarded.

        Its index is random, so that two wallets of one phrase, or one that was restored, never
        give the same one.
        """

        def step(state: WalletState) -> tuple[WalletState, Guardianship]:
            taken = {each.index for each in state.guardianships}
            while (index := secrets.randbelow(INDICES)) in taken:
                pass
            new = Guardianship(index=index, guardian=self._seed.guardian(index).address)
            return replace(state, guardianships=(*state.guardianships, new)), new

        return self._change(step)

    def keep_guardianship(self, kept: Guardianship) -> None:
        """Keep what came with a guardianship, in the place of what was kept of the same key.

        Raises:
            KeyMissing: its key is not one of this wallet's.
        """
        if self._seed.guardian(kept.index).address != kept.guardian:
            raise KeyMissing(f"{kept.guardian} is no guardian's key of this wallet")

        def step(state: WalletState) -> tuple[WalletState, None]:
            others = (each for each in state.guardianships if each.guardian != kept.guardian)
            return replace(state, guardianships=(*others, kept)), None

        self._change(step)

    def guardianships(self) -> tuple[Guardianship, ...]:
        """The keys it holds as a guardian."""
        return self._state().guardianships

    # --- The file ---

    def _signer(self, state: WalletState, held: WalletAccount) -> LocalSigner:
        if held.origin is Origin.IMPORTED and held.rotations == 0:
            if (key := state.imported.get(held.account)) is None:
                raise KeyMissing(f"the key of {held.account} was of another wallet: import it")
            return LocalSigner.unsafe_from_key(key)
        return self._seed.controller(held.index, held.rotations)

    def _state(self) -> WalletState:
        return decoded(self._file.read(), self.path)

    def _change(self, step: Callable[[WalletState], tuple[WalletState, _T]]) -> _T:
        def on_bytes(before: bytes) -> tuple[bytes, _T]:
            state, result = step(decoded(before, self.path))
            return state.encode(), result

        return self._file.change(on_bytes)

    def __repr__(self) -> str:
        """Say where it is, never what it holds."""
        return f"Wallet({str(self.path)!r})"
