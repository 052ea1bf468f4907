"""Finding the gatekeepers of a network, when the address of one of them is all one has."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import httpx

from medaccord.chain import events
from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Role
from medaccord.client.directory import Directory, steward_of
from medaccord.client.gatekeeper_api import GatekeeperApi
from medaccord.client.history import events_about
from medaccord.core.errors import MedaccordError
from medaccord.core.identifiers import Address


def find_gatekeepers(
    contracts: Contracts, urls: Iterable[str], *, http: httpx.Client | None = None
) -> dict[Address, str]:
    """Where the gatekeepers of all stewards are, as their profiles say and the registry confirms.

    Every steward is looked up, so that nobody learns with whom one's own relationships are.

    Args:
        contracts: From `medaccord.connect`.
        urls: Addresses of gatekeepers whose directories are asked, the first that knows counts;
            each stands for its own steward where no profile tells another address.
        http: The client to send with, which stays open; one of its own unless given.

    Raises:
        TransportError: The node does not answer, or badly. A gatekeeper that does not answer, or a
            profile that is not in force, is passed over.
    """
    apis = [GatekeeperApi(url, http=http) for url in urls]
    try:
        directories = [Directory(contracts, api) for api in apis]
        found = {}
        for steward in _stewards(contracts):
            for directory in directories:
                try:
                    profile = directory.profile(steward)
                except MedaccordError:
                    continue
                if profile.gatekeeper is not None:
                    found[steward] = profile.gatekeeper
                    break
        for api in apis:
            with suppress(MedaccordError):  # whose it is where no profile tells: as it was named
                found.setdefault(steward_of(api, contracts), api.url)
        return found
    finally:
        for api in apis:
            api.close()


def _stewards(contracts: Contracts) -> list[Address]:
    """Every organisation that ever was a steward: whoever kept records may still have openings."""
    told: list[events.OrganisationAdmitted | events.RolesChanged] = [
        *events_about(contracts, None, events.OrganisationAdmitted),
        *events_about(contracts, None, events.RolesChanged),
    ]
    return list(dict.fromkeys(event.account for event in told if event.roles & Role.STEWARD))
