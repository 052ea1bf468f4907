"""``medaccord deploy``: the contracts, once for a network of hospitals."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import IO, Annotated, Any, TypeAlias

import typer

from medaccord.chain.deployment import (
    Deployment,
    DeploymentSettings,
    FounderAdmission,
)
from medaccord.chain.deployment import deploy as deploy_contracts
from medaccord.chain.powers import Role
from medaccord.chain.sender import Sender
from medaccord.cli.account import KeystoreOption
from medaccord.cli.network import network_of
from medaccord.cli.options import RpcOption
from medaccord.cli.output import JsonOption, say
from medaccord.cli.passphrases import DescriptorOption, FileOption, passphrase, refuse_both
from medaccord.cli.profiles import (
    GatekeeperOption,
    KeyOption,
    NameOption,
    ProfileOption,
    described,
    kept_beside,
)
from medaccord.cli.progress import progress_bar
from medaccord.cli.refusals import explained
from medaccord.core.errors import InvalidInput, InvalidSetting
from medaccord.core.identifiers import AccountId, Address, Digest, address, digest, hex_digest
from medaccord.keys import (
    Keystore,
    LocalSigner,
    Passphrase,
    Signer,
    unsafe_signer_from_environment,
)
from medaccord.settings import Settings

_DEFAULTS = DeploymentSettings()

_LONGEST_SPAN = 2**32 - 1
"""What the contracts hold of a span, in seconds."""


class RoleName(Enum):
    """A role of an organisation, as it is typed."""

    STEWARD = "steward"
    EMERGENCY = "emergency"


PayerOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--account", metavar="ADDRESS", help="Who pays, from the keystore; MEDACCORD_ACCOUNT."
    ),
]
UnsafeOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--unsafe-key", help="Pay with the key in MEDACCORD_PRIVATE_KEY instead; for trials alone."
    ),
]
FounderOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--founder",
        metavar="ADDRESS",
        help="The founding organisation, from the keystore; the one who pays unless given.",
    ),
]
FounderFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--founder-passphrase-file",
        metavar="FILE",
        help="The passphrase of the founder, where it is another than that of who pays.",
    ),
]


def _span(name: str, default: timedelta, meaning: str, *, shortest: int = 0) -> Any:
    return typer.Option(
        name,
        metavar="SECONDS",
        min=shortest,
        max=_LONGEST_SPAN,
        help=f"{meaning}; {int(default.total_seconds())} unless given.",
    )


def deploy(
    rpc_url: RpcOption = None,
    account: PayerOption = None,
    unsafe_key: UnsafeOption = False,
    founder: FounderOption = None,
    name: NameOption = None,
    gatekeeper: GatekeeperOption = None,
    profile: ProfileOption = None,
    key: KeyOption = None,
    roles: Annotated[
        list[RoleName] | None,
        typer.Option("--role", help="A role beside that of a member; may be given again."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Where the record goes; MEDACCORD_RECORD, or one a chain in the program's folder.",
        ),
    ] = None,
    recovery_delay: Annotated[
        int | None,
        _span(
            "--recovery-delay",
            _DEFAULTS.recovery_delay,
            "From a recovery's start to its end",
            shortest=1,
        ),
    ] = None,
    emergency_delay: Annotated[
        int | None,
        _span(
            "--emergency-delay", _DEFAULTS.emergency_delay, "Until the role EMERGENCY takes effect"
        ),
    ] = None,
    max_consent_span: Annotated[
        int | None,
        _span("--max-consent-span", _DEFAULTS.max_consent_span, "Longest consent", shortest=1),
    ] = None,
    max_emergency: Annotated[
        int | None, _span("--max-emergency", _DEFAULTS.max_emergency, "Longest emergency access")
    ] = None,
    keystore: KeystoreOption = None,
    passphrase_file: FileOption = None,
    passphrase_fd: DescriptorOption = None,
    founder_passphrase_file: FounderFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deploy the contracts, admit the founding organisation, and write the record.

    Every other command finds the contracts by the record; it holds nothing secret. What is there
    already is never overwritten.
    """
    refuse_both(passphrase_file, passphrase_fd)
    settings = Settings.load(
        rpc_url=rpc_url,
        account=account,
        record=out,
        keystore=keystore,
        passphrase_file=passphrase_file,
    )
    network = network_of(settings)
    spans = {
        "recovery_delay": recovery_delay,
        "emergency_delay": emergency_delay,
        "max_consent_span": max_consent_span,
        "max_emergency": max_emergency,
    }
    fixed = DeploymentSettings(
        **{each: timedelta(seconds=span) for each, span in spans.items() if span is not None}
    )
    x25519 = None if key is None else digest(key)
    path = settings.record_of(network.genesis_hash)
    with _reserved(path) as record:
        keys = _Keys(settings, passphrase_fd, founder_passphrase_file)
        payer = unsafe_signer_from_environment() if unsafe_key else keys.signer(settings.account)
        signer = payer if founder is None else keys.founder(address(founder), payer)
        identity = AccountId(chain_id=network.chain_id, address=signer.address)
        organisation = described(identity, profile, name, gatekeeper)
        profile_file = kept_beside(organisation, path) if profile is None else profile
        admission = FounderAdmission(
            signer=signer,
            key=x25519 if x25519 is not None else keys.fresh_x25519(),
            profile=organisation.hash,
            roles=_roles(roles),
        )
        sender = Sender(network, payer)
        with progress_bar("Deploying") as told, explained():
            deployment = deploy_contracts(network, sender, admission, fixed, progress=told)
        record.write(deployment.to_json().encode())
    document = _told(deployment, path, admission, profile_file)
    say(document, _lines(document), as_json=as_json)


@dataclass(slots=True)
class _Keys:
    """The keys that a deployment needs, each unlocked once."""

    settings: Settings
    descriptor: int | None
    founder_file: Path | None
    _opener: Passphrase | None = None

    @property
    def _store(self) -> Keystore:
        return Keystore(self.settings.keystore)

    def signer(self, account: str | None) -> LocalSigner:
        """The key of who pays."""
        if account is None:
            raise InvalidSetting(
                "who pays? Name an account of the keystore with --account or MEDACCORD_ACCOUNT, or"
                " say --unsafe-key"
            )
        return self._unlocked(address(account), self.settings.passphrase_file)

    def founder(self, account: Address, payer: Signer) -> Signer:
        """The key of the founder."""
        if account == payer.address:
            return payer
        return self._unlocked(account, self.founder_file or self.settings.passphrase_file)

    def fresh_x25519(self) -> Digest:
        """Make the founder's X25519 key, under the passphrase given last."""
        if self._opener is None:
            self._opener = passphrase(
                "the founder's X25519 key",
                file=self.founder_file or self.settings.passphrase_file,
                descriptor=self.descriptor,
                new=True,
            )
        return self._store.create_x25519(self._opener)

    def _unlocked(self, account: Address, file: Path | None) -> LocalSigner:
        self._store.file(account)  # says that it is not there before anybody is asked
        self._opener = passphrase(account, file=file, descriptor=self.descriptor)
        return self._store.unlock(account, self._opener)


@contextmanager
def _reserved(path: Path) -> Iterator[IO[bytes]]:
    """Take the name of the record before anything is paid for; let go of it where that fails.

    An empty file that nobody holds was left by a deployment that was killed.

    Raises:
        InvalidInput: there is a file of that name, or none can be made.
    """
    is_left = path.is_file() and not path.stat().st_size
    if path.exists() and not is_left:
        raise InvalidInput(
            f"{path} is there already, and a record is never overwritten: name another with --out"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        record = path.open("ab")
    except OSError as error:
        raise InvalidInput(f"no record can be written to {path}: {error.strerror}") from error
    with record:
        if not _is_ours(record):
            raise InvalidInput(f"another deployment writes {path}: name another with --out")
        try:
            yield record
            record.flush()
            os.fsync(record.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def _is_ours(record: IO[bytes]) -> bool:
    """Hold a record that is to be written, if nobody else does or did."""
    try:
        fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    found = os.fstat(record.fileno())
    return found.st_nlink > 0 and found.st_size == 0


def _roles(names: list[RoleName] | None) -> Role:
    roles = Role.MEMBER
    for each in names or ():
        roles |= Role[each.name]
    return roles


def _told(
    deployment: Deployment, path: Path, admission: FounderAdmission, profile_file: Path
) -> dict[str, Any]:
    return {
        "record": str(path),
        "chainId": deployment.chain_id,
        "genesisHash": hex_digest(deployment.genesis_hash),
        "founder": admission.signer.address,
        "key": hex_digest(admission.key),
        "profileFile": str(profile_file),
        "contracts": {name: each.address for name, each in sorted(deployment.contracts.items())},
    }


def _lines(document: dict[str, Any]) -> Iterator[str]:
    for name, contract in document["contracts"].items():
        yield f"{name}: {contract}"
    yield (
        f"Founder: {document['founder']}. Bring its name to a gatekeeper, once one runs:"
        f" `medaccord org publish {document['profileFile']}`"
    )
    yield f"Record: {document['record']}"
