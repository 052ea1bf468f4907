"""Whoever acts for an account at one gatekeeper, until they are done there."""

from __future__ import annotations

from types import TracebackType
from typing import ClassVar, Self

import httpx

from medaccord.chain.deployment import Contracts
from medaccord.chain.sender import Sender
from medaccord.client.access import AccessQuestions
from medaccord.client.acting import Acting
from medaccord.client.directory import Directory
from medaccord.client.gatekeeper_api import GatekeeperApi
from medaccord.client.notices import AccountNotices
from medaccord.core.identifiers import Address
from medaccord.core.purposes import Purpose
from medaccord.keys.signer import Signer


class Visitor:
    """Acts for an account at a gatekeeper. Close it, or use it in a ``with`` statement.

    Attributes:
        account: The account.
        directory: Names of organisations, checked against the registry.
        notices: What the gatekeeper tells the account.
        access: Asks the gatekeeper what is allowed.
        purpose: What a visitor of this kind asks for, where nothing else is said.
    """

    purpose: ClassVar[Purpose]

    def __init__(
        self,
        signer: Signer,
        contracts: Contracts,
        gatekeeper: str,
        *,
        account: Address | None = None,
        sender: Sender | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        """Act for an account; nothing is sent yet.

        Args:
            signer: Its controller, or a delegate.
            contracts: From `medaccord.connect`.
            gatekeeper: Address of the steward's gatekeeper.
            account: The account; the signer's own unless given.
            sender: Pays for what no gatekeeper relays; nobody does unless given.
            http: The client to send with, which stays open; one of its own unless given.
        """
        self._api = GatekeeperApi(gatekeeper, http=http)
        self._acting = Acting(
            signer, contracts, self._api, account=account, purpose=self.purpose, sender=sender
        )
        self.account = self._acting.account
        self.directory: Directory = self._acting.directory
        self.notices = AccountNotices(self._acting.session)
        self.access = AccessQuestions(self._acting.session)

    @property
    def steward(self) -> Address:
        """The organisation whose gatekeeper it is: as it says, and as the registry confirms.

        Raises:
            InvalidRequest: The registry knows no such steward.
            TransportError: The gatekeeper or the node does not answer.
        """
        return self._acting.steward

    def close(self) -> None:
        """Close the connections to the gatekeeper."""
        self._api.close()

    def __enter__(self) -> Self:
        """Close at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()
