"""What every command of a steward needs: its gatekeeper, opened from the settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from medaccord.chain.deployment import Contracts
from medaccord.cli.network import contracts_of
from medaccord.cli.passphrases import passphrase
from medaccord.client.directory import organisation_of
from medaccord.core.errors import InvalidDocument, InvalidSetting
from medaccord.core.identifiers import Address, address
from medaccord.fhir.label_table import LabelTable
from medaccord.fhir.resources import NORMAL, UNLABELLED
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import Keystore, Passphrase
from medaccord.settings import Settings


@contextmanager
def open_gatekeeper(flags: Mapping[str, Any]) -> Iterator[Gatekeeper]:
    """Open the gatekeeper that the settings name, beside the one that serves or without it.

    Args:
        flags: settings by name, as the command line has them; None where it was not given.

    Raises:
        InvalidSetting: a setting is missing or malformed.
        MedaccordError: as `contracts_of`, `Gatekeeper.open` and `Keystore.unlock`.
    """
    settings = Settings.load(**flags)
    if settings.account is None:
        raise InvalidSetting(
            "which key signs? Name its account with --account or MEDACCORD_ACCOUNT"
        )
    account = address(settings.account)
    labels = _labels(settings.label_table)
    contracts = contracts_of(settings)
    steward = address(settings.steward) if settings.steward else account
    _check_steward(contracts, steward)
    opener = passphrase(account, file=settings.passphrase_file, descriptor=None)
    gatekeeper = Gatekeeper.open(
        steward=steward,
        signer=Keystore(settings.keystore).unlock(account, opener),
        network=contracts.network,
        deployment=contracts.deployment,
        database_url=settings.database_url,
        keys_folder=settings.keys_folder,
        passphrase=_keys_passphrase(settings),
        labels=labels,
        unlabelled=UNLABELLED if settings.unlabelled == "restricted" else NORMAL,
        log_interval=settings.log_interval,
        poll_interval=settings.poll_interval,
        heads_url=settings.heads_url,
        webhook_networks=_networks(settings.webhook_networks),
    )
    try:
        yield gatekeeper
    finally:
        gatekeeper.close()


def _check_steward(contracts: Contracts, steward: Address) -> None:
    """Refuse to keep records in the name of nobody; one that was suspended goes on logging."""
    if not organisation_of(contracts, steward)["admitted"]:
        raise InvalidSetting(
            f"{steward} is no organisation of this network: have it admitted, or name the right"
            " one with --steward or MEDACCORD_STEWARD"
        )


def _keys_passphrase(settings: Settings) -> Passphrase | None:
    file = settings.keys_passphrase_file
    return None if file is None else Passphrase.from_file(file)


def _networks(text: str | None) -> list[IPv4Network | IPv6Network]:
    return [ip_network(each) for each in (text or "").split(",") if each]


def _labels(path: Path | None) -> LabelTable | None:
    if path is None:
        return None
    try:
        return LabelTable.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"the label table {path} cannot be read as UTF-8 text") from error
    except InvalidDocument as error:
        raise InvalidSetting(f"the label table {path}: {error.problem}") from error
