"""Who an organisation is: its state in the registry, and its profile, checked against it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Role
from medaccord.client.gatekeeper_api import GatekeeperApi, json_object, reading_answer
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import InvalidInput, InvalidRequest, MedaccordError
from medaccord.core.identifiers import AccountId, Address, Digest
from medaccord.core.profiles import OrganisationProfile

_FIELDS = ("roles", "admitted", "suspended", "emergency_from", "key", "profile")


class Directory:
    """Looks profiles up and brings them, wherever they are served; believes only the registry."""

    def __init__(self, contracts: Contracts, api: GatekeeperApi) -> None:
        """Ask one gatekeeper for profiles, and the registry whether they are in force."""
        self._contracts = contracts
        self._api = api
        self._known: dict[Digest, OrganisationProfile] = {}

    def profile(self, account: Address) -> OrganisationProfile:
        """The profile in force of an organisation.

        Raises:
            CommitmentMismatch: What is served is not the profile in force.
            InvalidInput: The organisation was never admitted, or no profile is served.
            TransportError: The gatekeeper or the node does not answer, or badly.
        """
        organisation = organisation_of(self._contracts, account)
        if not organisation["admitted"]:
            raise InvalidInput(f"{account} is no organisation of this network")
        registered = Digest(bytes(organisation["profile"]))
        if registered not in self._known:
            answer = self._api.get(f"/directory/{account}")
            with reading_answer(self._api.url):
                profile = OrganisationProfile.parse(answer.content)
            profile.check(self._contracts.account_id(account), registered)
            self._known[registered] = profile
        return self._known[registered]

    def publish(self, profile: OrganisationProfile) -> None:
        """Bring a profile to the gatekeeper, so that its keys count there.

        Whoever may do that: the registry names the profile, and must do so already.

        Raises:
            CommitmentMismatch: The registry names another profile; nothing was sent.
            VerificationFailed: The gatekeeper's node knows of another one: try again later.
            InvalidRequest: The gatekeeper finds it too long.
            TransportError: The gatekeeper or the node does not answer, or badly.
        """
        account = profile.account
        organisation = organisation_of(self._contracts, account.address)
        profile.check(account, Digest(bytes(organisation["profile"])))
        self._api.put(f"/directory/{account.address}", profile.document())

    def name(self, account: Address) -> str:
        """What to call an organisation: its checked name, else its account."""
        named = self._contracts.account_id(account)
        return self.names([named]).get(named, str(named))

    def names(self, accounts: Iterable[AccountId]) -> dict[AccountId, str]:
        """Checked names of several organisations; those without one are left out."""
        found = {}
        for account in accounts:
            with suppress(MedaccordError):  # the account itself is shown instead
                found[account] = self.profile(account.address).name
        return found


def steward_of(api: GatekeeperApi, contracts: Contracts) -> Address:
    """Whose gatekeeper it is: as it says, and as the registry confirms.

    Raises:
        InvalidRequest: The registry knows no such steward.
        TransportError: The gatekeeper or the node does not answer, or badly.
    """
    health = json_object(api.get("/health"))
    with reading_answer(api.url):
        reader = DocumentReader(health, what="the answer", required=["steward"], optional=health)
        steward = reader.address("steward")
    if not organisation_of(contracts, steward)["roles"] & Role.STEWARD:
        raise InvalidRequest(f"{api.url} says it is {steward}, which keeps no records")
    return steward


def organisation_of(contracts: Contracts, account: Address) -> dict[str, Any]:
    """The registry's entry of an organisation, by the names of its fields.

    Raises:
        TransportError: The node does not answer.
    """
    values = contracts.call("Registry", "organisationOf", account)
    return dict(zip(_FIELDS, values, strict=True))
