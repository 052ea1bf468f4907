"""What the scripts share: the network Ape is connected to, its accounts as signers, the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from ape import networks
from ape.api import AccountAPI
from ape.cli import AccountAliasPromptChoice, ConnectedProviderCommand, account_option
from eth_account.messages import encode_defunct

from medaccord.chain.deployment import Contracts, Deployment, connect
from medaccord.chain.network import Network
from medaccord.chain.sender import Receipt, Sender
from medaccord.client import ActionReceipt
from medaccord.core.errors import InvalidInput, MedaccordError, TransportError
from medaccord.core.identifiers import Address, address, hex_digest
from medaccord.core.typed_data import TypedData
from medaccord.settings import Settings

_DOT_ENV = Path(__file__).resolve().parent.parent / ".env"


class ScriptCommand(ConnectedProviderCommand):
    """A command on the network that ``--network`` names; our errors are one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except MedaccordError as error:
            raise click.ClickException(str(error)) from error


class ApeSigner:
    """An account of Ape as a signer: its key stays where Ape keeps it, and Ape asks before use."""

    def __init__(self, account: AccountAPI) -> None:
        """Sign with an account of Ape."""
        self._account = account

    @property
    def address(self) -> Address:
        """The address of the key."""
        return address(self._account.address)

    def sign(self, message: TypedData) -> bytes:
        """Sign typed data: 65 bytes, r ‖ s ‖ v."""
        return self._sign(message.signable())

    def sign_text(self, text: str) -> bytes:
        """Sign text that a person has read: 65 bytes, r ‖ s ‖ v."""
        return self._sign(encode_defunct(text=text))

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Sign a transaction, all of whose fields are filled in."""
        ecosystem = networks.provider.network.ecosystem
        # web3 says `to` nobody where a contract is created, Ape says nothing.
        fields = {name: value for name, value in transaction.items() if name != "to" or value}
        unsigned = ecosystem.create_transaction(**fields)
        unsigned.sender = self._account.address
        signed = self._account.sign_transaction(unsigned)
        if signed is None:
            raise InvalidInput(f"{self.address} did not sign the transaction")
        return bytes(signed.serialize_transaction())

    def _sign(self, message: object) -> bytes:
        signature = self._account.sign_message(message)
        if signature is None:
            raise InvalidInput(f"{self.address} did not sign")
        r, s = (bytes(part).rjust(32, b"\0") for part in (signature.r, signature.s))
        return r + s + bytes([signature.v])


def key_option(name: str, whose: str) -> Callable[..., Any]:
    """An option that names an account of Ape."""
    return account_option(name, prompt=f"The account of {whose}")


def optional_key(name: str, about: str) -> Callable[..., Any]:
    """An option that may name an account of Ape."""
    return click.option(name, type=AccountAliasPromptChoice(), help=about)


def record_option() -> Callable[..., Any]:
    """The option that names the file with the record of the deployment."""
    return click.option(
        "--record",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Record of the deployment; MEDACCORD_RECORD, or one a chain in your own folder.",
    )


def record_path(record: Path | None, network: Network) -> Path:
    """The file with the record: the one named or set, else this user's for this chain.

    Raises:
        InvalidSetting: a setting of the environment or of .env is malformed.
    """
    return Settings.load(env_file=_DOT_ENV, record=record).record_of(network.genesis_hash)


def connected() -> Network:
    """The network that Ape is connected to."""
    return Network(networks.provider.web3)


def contracts_of(record: Path | None) -> Contracts:
    """The contracts of the record, checked against the chain."""
    network = connected()
    return connect(network, Deployment.load(record_path(record, network)))


def sender_of(account: AccountAPI, network: Network) -> Sender:
    """Whoever pays for the transactions of a script."""
    return Sender(network, ApeSigner(account))


def report(what: str, receipt: Receipt | ActionReceipt) -> None:
    """Print what a transaction did that was waited for."""
    if receipt.block is None or receipt.transaction is None:
        raise TransportError(f"{what}: sent, and not mined yet")
    transaction = hex_digest(receipt.transaction)
    click.echo(f"{what}: block {receipt.block.number}, gas {receipt.gas_used}, {transaction}")
