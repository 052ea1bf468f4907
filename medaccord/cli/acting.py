"""Who acts in a command: options that every one of them takes, and what they come to.

A command that is decorated with `acts`, or with another one of its kind, takes those options beside
its own, and gets them as its argument `flags`, which `acting_patient` and the others read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from medaccord.chain.deployment import Contracts
from medaccord.chain.sender import Sender
from medaccord.cli.handed_over import handing_over_told
from medaccord.cli.network import contracts_of
from medaccord.cli.passphrases import passphrase, refuse_both
from medaccord.cli.refusals import explained
from medaccord.client import Consortium, Patient, Provider
from medaccord.client.directory import organisation_of
from medaccord.core.errors import InvalidSetting
from medaccord.core.identifiers import Address, address, digest
from medaccord.keys import Keystore, LocalSigner, Passphrase, Wallet, WalletAccount
from medaccord.settings import Settings

Flags: TypeAlias = Mapping[str, Any]
"""Settings by name, as the command line has them, None where one was not given; and beside them
`passphrase_fd`, `for_account`, `payer`, `payer_passphrase_file` and `in_wallet`, which are no
settings."""

_BESIDE: Final = ("passphrase_fd", "for_account", "payer", "payer_passphrase_file", "in_wallet")
_PANEL: Final = "Who acts, and where"
_WHICH_GATEKEEPER: Final = (
    "which gatekeeper? Name its address with --gatekeeper or MEDACCORD_GATEKEEPER"
)


def _option(name: str, metavar: str, help: str) -> Any:
    return typer.Option(name, metavar=metavar, help=help, rich_help_panel=_PANEL)


_CHAIN: Final[dict[str, Any]] = {
    "rpc_url": Annotated[str | None, _option("--rpc-url", "URL", "The node; MEDACCORD_RPC_URL.")],
    "record": Annotated[
        Path | None,
        _option("--record", "FILE", "Record of the deployment; MEDACCORD_RECORD."),
    ],
}
_KEY: Final[dict[str, Any]] = {
    "account": Annotated[
        str | None,
        _option(
            "--account",
            "ADDRESS",
            "Whose key signs, of the wallet or the keystore; MEDACCORD_ACCOUNT.",
        ),
    ],
    "for_account": Annotated[
        str | None,
        _option("--for", "ADDRESS", "The account acted for, where the key is a delegate's."),
    ],
    "wallet": Annotated[
        Path | None,
        _option("--wallet", "FILE", "A person's wallet; MEDACCORD_WALLET, or in your own folder."),
    ],
    "keystore": Annotated[
        Path | None,
        _option("--keystore", "FOLDER", "Keys of single accounts; MEDACCORD_KEYSTORE."),
    ],
    "passphrase_file": Annotated[
        Path | None,
        _option("--passphrase-file", "FILE", "One line with the passphrase, chmod 600."),
    ],
    "passphrase_fd": Annotated[
        int | None,
        _option("--passphrase-fd", "NUMBER", "Open file descriptor to read the passphrase from."),
    ],
}
_GATEKEEPER: Final[dict[str, Any]] = {
    "gatekeeper": Annotated[
        str | None,
        _option(
            "--gatekeeper",
            "URL",
            "The gatekeeper; MEDACCORD_GATEKEEPER, or the one the wallet has for the account.",
        ),
    ],
}
_PAYER: Final[dict[str, Any]] = {
    "payer": Annotated[
        str | None,
        _option(
            "--payer", "ADDRESS", "Account of the keystore that pays where no gatekeeper relays it."
        ),
    ],
    "payer_passphrase_file": Annotated[
        Path | None,
        _option("--payer-passphrase-file", "FILE", "Its passphrase, where that is another one."),
    ],
}


def _taking(*groups: Mapping[str, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that gives a command options, which it gets as one argument, `flags`."""
    options = {name: option for group in groups for name, option in group.items()}

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [each for name, each in signature.parameters.items() if name != "flags"]
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
            for name, option in options.items()
        ]

        @wraps(command)
        def with_options(**given: Any) -> None:
            flags = {name: given.pop(name) for name in options}
            with explained():
                command(flags=flags, **given)

        taken = signature.replace(parameters=[*own, *added])
        with_options.__signature__ = taken  # type: ignore[attr-defined]  # typer reads it
        with_options.__annotations__ = {each.name: each.annotation for each in (*own, *added)}
        return with_options

    return decorated


looks = _taking(_CHAIN)
"""For a command that looks at the chain alone: node and record."""

governs = _taking(_CHAIN, _KEY)
"""For a command of a member, which pays for itself."""

acts = _taking(_GATEKEEPER, _CHAIN, _KEY)
"""For a command at a gatekeeper."""

acts_and_pays = _taking(_GATEKEEPER, _CHAIN, _KEY, _PAYER)
"""For a command of a patient that a gatekeeper may not relay, or not for that account."""


# --- What they come to ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A key that signs, and what it acts for.

    Attributes:
        signer: the key.
        account: the account acted for.
        wallet: where the key is from; None where it is from the keystore.
        held: what the wallet knows of the account; None where the wallet does not have it.
    """

    signer: LocalSigner
    account: Address
    wallet: Wallet | None = None
    held: WalletAccount | None = None


def settings_of(flags: Flags) -> Settings:
    """The settings, with the flags before everything else.

    Raises:
        InvalidSetting: one is malformed.
        InvalidInput: two passphrases were given for one.
    """
    refuse_both(flags.get("passphrase_file"), flags.get("passphrase_fd"))
    return Settings.load(**{name: each for name, each in flags.items() if name not in _BESIDE})


def connected(flags: Flags) -> Contracts:
    """The contracts of the deployment that the settings name, checked.

    Raises:
        InvalidSetting: a setting is malformed.
        MedaccordError: as `contracts_of`.
    """
    return contracts_of(settings_of(flags))


@contextmanager
def acting_patient(flags: Flags) -> Iterator[Patient]:
    """Act for a patient at the gatekeeper of a steward.

    The account is the one that is named, else the only one that the wallet has at that gatekeeper.

    Raises:
        InvalidSetting: which account or which gatekeeper is meant cannot be told.
        MedaccordError: as `connected`, and what opens the key.
    """
    with patient_of(flags, acting(flags), connected(flags)) as patient:
        yield patient


@contextmanager
def patient_of(flags: Flags, actor: Actor, contracts: Contracts) -> Iterator[Patient]:
    """As `acting_patient`, for who was found already.

    Raises:
        InvalidSetting: which gatekeeper is meant cannot be told.
        MedaccordError: as `payer`.
    """
    where = settings_of(flags).gatekeeper or (actor.held.gatekeeper if actor.held else None)
    if where is None:
        raise InvalidSetting(_WHICH_GATEKEEPER)
    sender, account, by = payer(flags, contracts), actor.account, actor.signer.address
    with (
        Patient(actor.signer, contracts, where, account=account, sender=sender) as patient,
        handing_over_told(account, by, contracts, is_own=actor.held is not None),
    ):
        yield patient


@contextmanager
def acting_provider(flags: Flags, *, unseals: bool = False) -> Iterator[Provider]:
    """Act for an organisation at the gatekeeper of a steward.

    Args:
        flags: as the command line has them.
        unseals: whether to open the X25519 key that it has in the Registry, where the keystore has
            it, so that records come sealed to it.

    Raises:
        InvalidSetting: which account or which gatekeeper is meant cannot be told.
        MedaccordError: as `connected`, and what opens the keys.
    """
    settings = settings_of(flags)
    if settings.gatekeeper is None:
        raise InvalidSetting(_WHICH_GATEKEEPER)
    opener = _Opener(settings, flags.get("passphrase_fd"))
    actor = _actor(settings, flags, opener)
    contracts = connected(flags)
    key = _x25519(settings, contracts, actor.account, opener) if unseals else None
    with Provider(
        actor.signer, contracts, settings.gatekeeper, account=actor.account, envelope_key=key
    ) as provider:
        yield provider


def acting_member(flags: Flags) -> Consortium:
    """Take a member's seat; its key pays.

    Raises:
        InvalidSetting: which account is meant cannot be told.
        MedaccordError: as `connected`, and what opens the key.
    """
    actor = acting(flags)
    return Consortium(actor.signer, connected(flags), account=actor.account)


def acting(flags: Flags) -> Actor:
    """Find the key that signs, and open it.

    Raises:
        InvalidSetting: which account is meant cannot be told.
        MedaccordError: as `Wallet.open` and `Keystore.unlock`.
    """
    settings = settings_of(flags)
    return _actor(settings, flags, _Opener(settings, flags.get("passphrase_fd")))


def opened_wallet(flags: Flags) -> Wallet:
    """Open the wallet that the settings name.

    Raises:
        KeyMissing: there is none.
        MedaccordError: as `Wallet.open`.
    """
    settings = settings_of(flags)
    opener = _Opener(settings, flags.get("passphrase_fd"))
    return Wallet.open(settings.wallet, opener.of(str(settings.wallet)))


def payer(flags: Flags, contracts: Contracts) -> Sender | None:
    """Who pays, where a command names somebody with --payer.

    Raises:
        MedaccordError: as `Keystore.unlock`.
    """
    if (named := flags.get("payer")) is None:
        return None
    settings, account = settings_of(flags), address(named)
    store = Keystore(settings.keystore)
    store.file(account)  # before anybody is asked for its passphrase
    own: Path | None = flags.get("payer_passphrase_file")
    if own is None:
        given = _Opener(settings, flags.get("passphrase_fd")).of(account)
    else:
        given = Passphrase.from_file(own)
    return Sender(contracts.network, store.unlock(account, given))


def chosen(wallet: Wallet, settings: Settings) -> WalletAccount:
    """The account of a wallet that is named, else the only one that can be meant.

    Raises:
        KeyMissing: the one that is named is not of the wallet.
        InvalidSetting: none is named, and there is not just one.
    """
    if settings.account is not None:
        return wallet.account(address(settings.account))
    there, held = settings.gatekeeper, wallet.accounts()
    found = [each for each in held if there in (None, each.gatekeeper)]
    if not found:  # one that was made before anybody knew where it would be used
        found = [each for each in held if each.gatekeeper is None]
    # One that enrolling was refused for waits for the next code, and stands for nothing yet.
    found = [each for each in found if each.used] or found
    if len(found) == 1:
        return found[0]
    where = "the wallet" if there is None else f"the wallet, at {there}"
    raise InvalidSetting(
        f"which account? There are {len(found)} in {where}: name one with --account or"
        " MEDACCORD_ACCOUNT"
    )


class _Opener:
    """The passphrase of a command, read or asked for once for each thing that it opens."""

    def __init__(self, settings: Settings, descriptor: int | None) -> None:
        self._file = settings.passphrase_file
        self._descriptor = descriptor
        self._read: Passphrase | None = None

    def of(self, label: str) -> Passphrase:
        if self._read is not None:
            return self._read
        given = passphrase(label, file=self._file, descriptor=self._descriptor)
        if self._file is not None or self._descriptor is not None:
            self._read = given
        return given


def _actor(settings: Settings, flags: Flags, opener: _Opener) -> Actor:
    named = None if settings.account is None else address(settings.account)
    kept = () if flags.get("in_wallet") else Keystore(settings.keystore).addresses()
    if named is not None and named in kept:
        signer = Keystore(settings.keystore).unlock(named, opener.of(named))
        return Actor(signer=signer, account=_acted_for(flags) or named)
    if not settings.wallet.exists():
        if named is None:
            raise InvalidSetting(
                f"which key signs? There is no wallet at {settings.wallet}: make one with"
                " `medaccord account new --in-wallet`, or name an account of the keystore with"
                " --account or MEDACCORD_ACCOUNT"
            )
        Keystore(settings.keystore).file(named)  # says that it is not there
    wallet = Wallet.open(settings.wallet, opener.of(str(settings.wallet)))
    held = chosen(wallet, settings)
    acted_for = _acted_for(flags)
    return Actor(
        signer=wallet.signer(held.account),
        account=acted_for or held.account,
        wallet=wallet,
        held=held if acted_for in (None, held.account) else None,
    )


def _acted_for(flags: Flags) -> Address | None:
    named = flags.get("for_account")
    return None if named is None else address(named)


def _x25519(
    settings: Settings, contracts: Contracts, account: Address, opener: _Opener
) -> bytes | None:
    store, registered = Keystore(settings.keystore), organisation_of(contracts, account)["key"]
    public = digest(bytes(registered))
    if public not in store.x25519_keys():
        return None
    key = store.unlock_x25519(public, opener.of(f"the X25519 key of {account}"))
    return key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
