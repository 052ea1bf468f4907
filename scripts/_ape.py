"""What the scripts share: the network Ape is connected to, its accounts as signers, the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from ape import networks
from ape.api import AccountAPI
from ape.cli import ConnectedProviderCommand
from eth_account.messages import encode_defunct
from web3 import Web3

from medaccord.chain.deployment import Contracts
from medaccord.chain.network import Network
from medaccord.chain.sender import Receipt, Sender
from medaccord.cli.ending import one_line
from medaccord.client import ActionReceipt
from medaccord.client.connecting import contracts_on
from medaccord.core.errors import InvalidInput, MedaccordError, TransportError
from medaccord.core.identifiers import Address, address, hex_digest
from medaccord.core.typed_data import TypedData
from medaccord.settings import Settings
from scripts._asking import at_terminal

_DOT_ENV = Path(__file__).resolve().parent.parent / ".env"
_APES_OWN = "test"
"""Name of the provider of Ape's test network, which is in Ape's own process."""


class ScriptCommand(ConnectedProviderCommand):
    """A command on the network that ``--network`` names; our errors are one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options."""
        with _one_line():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _one_line():
            return super().invoke(ctx)


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except MedaccordError as error:
        raise click.ClickException(printable(str(error))) from error


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


def record_option() -> Callable[..., Any]:
    """The option that names the file with the record of the deployment."""
    return click.option(
        "--record",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Record of the deployment; MEDACCORD_RECORD, or one a chain in your own folder.",
    )


def gatekeeper_option() -> Callable[..., Any]:
    """The option that names the gatekeeper of the steward, asked for where it is set nowhere."""

    def found(context: click.Context, parameter: click.Parameter, value: str | None) -> str:
        url = _settings(gatekeeper=value).gatekeeper
        if url is not None:
            return url
        if not at_terminal():
            raise click.MissingParameter(ctx=context, param=parameter)
        typed = click.prompt("Address of the steward's gatekeeper")
        return str(_settings(gatekeeper=typed).gatekeeper)

    about = "Address of the steward's gatekeeper; MEDACCORD_GATEKEEPER."
    return click.option("--gatekeeper", callback=found, metavar="URL", help=about)


def record_path(record: Path | None, network: Network) -> Path:
    """The file with the record: the one named or set, else this user's for this chain.

    Raises:
        InvalidSetting: a setting of the environment or of .env is malformed.
    """
    return _settings(record=record).record_of(network.genesis_hash)


def connected() -> Network:
    """The network that Ape is connected to.

    Raises:
        InvalidSetting: It is on another chain than MEDACCORD_CHAIN_ID says.
    """
    web3 = networks.provider.web3
    if networks.provider.name == _APES_OWN:
        from scripts._own_network import OwnNode  # loads an EVM, which takes its time

        web3 = Web3(OwnNode(web3.provider), middleware=())
    network = Network(web3)
    _settings().require_chain(network.chain_id)
    return network


def contracts_of(record: Path | None) -> Contracts:
    """The contracts of the record, checked against the chain.

    Raises:
        DeploymentMismatch: The record is of another chain, or its contracts are not ours.
        InvalidDeployment: There is no record.
        InvalidInput: It is Ape's own test network, on which nothing is deployed.
    """
    network = connected()
    path = record_path(record, network)
    if networks.provider.name == _APES_OWN and not path.exists():
        raise InvalidInput(
            "no contracts are on Ape's own test network, which begins anew in every process: start"
            " `medaccord node` and name it with --network ethereum:local:http://127.0.0.1:8545"
        )
    return contracts_on(network, path)


def sender_of(account: AccountAPI, network: Network) -> Sender:
    """Whoever pays for the transactions of a script."""
    return Sender(network, ApeSigner(account))


def report(what: str, receipt: Receipt | ActionReceipt) -> None:
    """Print what a transaction did that was waited for."""
    if receipt.block is None or receipt.transaction is None:
        raise TransportError(f"{what}: sent, and not mined yet")
    transaction = hex_digest(receipt.transaction)
    click.echo(f"{what}: block {receipt.block.number}, gas {receipt.gas_used}, {transaction}")


def printable(text: str) -> str:
    """Text that somebody else may have written, for a terminal."""
    return one_line(text)


def _settings(**given: object) -> Settings:
    return Settings.load(env_file=_DOT_ENV, **given)
