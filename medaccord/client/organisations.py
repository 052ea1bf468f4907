"""The organisations of a network, as the registry has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from medaccord.chain import events
from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Role
from medaccord.chain.values import moment
from medaccord.client.directory import organisation_of
from medaccord.client.history import events_about
from medaccord.core.identifiers import Address, Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """An organisation that the consortium admitted.

    Attributes:
        account: Its account.
        roles: What it was admitted as.
        suspended: Whether it is suspended now.
        emergency_from: From when on its EMERGENCY role counts, included; None without that role.
        key: Its X25519 public key.
        profile: Hash of its public profile; `Directory.profile` finds the document.
    """

    account: Address
    roles: Role
    suspended: bool
    emergency_from: datetime | None
    key: Digest
    profile: Digest


def organisations(contracts: Contracts) -> tuple[Organisation, ...]:
    """Every organisation that was ever admitted, in that order, as it stands now.

    Raises:
        TransportError: The node does not answer.
    """
    admitted = events_about(contracts, None, events.OrganisationAdmitted)
    return tuple(
        _organisation(contracts, account)
        for account in dict.fromkeys(event.account for event in admitted)
    )


def _organisation(contracts: Contracts, account: Address) -> Organisation:
    entry = organisation_of(contracts, account)
    since = entry["emergency_from"]
    return Organisation(
        account=account,
        roles=Role(entry["roles"]),
        suspended=bool(entry["suspended"]),
        emergency_from=moment(since) if since else None,
        key=Digest(bytes(entry["key"])),
        profile=Digest(bytes(entry["profile"])),
    )
