"""Whoever acts for an account at one gatekeeper, until they are done there."""

from __future__ import annotations

from types import TracebackType
from typing import ClassVar, Self

import httpx

from medaccord.chain.deployment import Contracts
from medaccord.client.access import AccessQuestions
from medaccord.client.evidence import ChainEvidence
from medaccord.client.gatekeeper_api import GatekeeperApi
from medaccord.client.notices import AccountNotices
from medaccord.client.session import Session
from medaccord.core.identifiers import Address, address
from medaccord.core.purposes import Purpose
from medaccord.keys.signer import Signer


class Visitor:
    """Acts for an account at a gatekeeper. Close it, or use it in a ``with`` statement.

    Attributes:
        account: The account.
        purpose: What a visitor of this kind asks for, where nothing else is said.
        notices: What the gatekeeper tells the account.
        access: Asks the gatekeeper what is allowed.
    """

    purpose: ClassVar[Purpose]

    def __init__(
        self,
        signer: Signer,
        contracts: Contracts,
        gatekeeper: str,
        *,
        account: Address | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        """Act for an account; nothing is sent yet.

        Args:
            signer: Its controller, or a delegate.
            contracts: From `medaccord.chain.connect`.
            gatekeeper: Address of the steward's gatekeeper.
            account: The account; the signer's own unless given.
            http: The client to send with, which stays open; one of its own unless given.
        """
        self.account = account or signer.address
        self._signer = signer
        self._contracts = contracts
        self._network = contracts.network
        self._api = GatekeeperApi(gatekeeper, http=http)
        self._evidence = ChainEvidence(self._network, contracts)
        self._session = Session(
            self._api,
            signer,
            contracts.account_id(self.account),
            registry=address(contracts.registry.address),
            purpose=self.purpose,
            clock=self._network.clock,
        )
        self.notices = AccountNotices(self._session)
        self.access = AccessQuestions(self._session)

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
