"""Who acts for which account at one gatekeeper: shared by everything that is done there."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from medaccord.chain import actions
from medaccord.chain.actions import Action
from medaccord.chain.deployment import Contracts
from medaccord.chain.network import Network
from medaccord.chain.sender import Sender
from medaccord.client.action_receipts import ActionReceipt
from medaccord.client.directory import Directory, steward_of
from medaccord.client.evidence import ChainEvidence
from medaccord.client.gatekeeper_api import GatekeeperApi
from medaccord.client.relay import relay, send
from medaccord.client.salts import fresh_salt
from medaccord.client.session import Session
from medaccord.core.errors import AccessRefused, InvalidRequest, TransportError
from medaccord.core.identifiers import Address, address
from medaccord.core.purposes import Purpose
from medaccord.core.refusals import Refusal
from medaccord.core.scopes import Scope
from medaccord.core.terms import DatePeriod, Terms
from medaccord.keys.signer import Signer


class Acting:
    """A key that acts for an account, on the chain and at the gatekeeper of one steward.

    Attributes:
        account: The account.
        signer: Its controller, or a delegate.
        contracts: Where it acts.
        api: The gatekeeper.
        session: Signed in there.
        evidence: What is looked up on the chain itself.
        directory: Names of organisations, checked against the registry.
    """

    def __init__(
        self,
        signer: Signer,
        contracts: Contracts,
        api: GatekeeperApi,
        *,
        account: Address | None,
        purpose: Purpose,
        sender: Sender | None,
    ) -> None:
        """Act; nothing is sent yet.

        Args:
            signer: The account's controller, or a delegate.
            contracts: From `medaccord.connect`.
            api: The gatekeeper.
            account: The account; the signer's own unless given.
            purpose: What a token is for, where nothing else is said.
            sender: Pays for what the gatekeeper does not relay; None where nobody does.
        """
        self.account = account or signer.address
        self.signer = signer
        self.contracts = contracts
        self.api = api
        self.evidence = ChainEvidence(contracts)
        self.session = Session(
            api,
            signer,
            contracts.account_id(self.account),
            registry=address(contracts.registry.address),
            purpose=purpose,
            clock=contracts.network.clock,
        )
        self.directory = Directory(contracts, api)
        self._sender = sender

    @property
    def by(self) -> Address:
        """The key that acts."""
        return self.signer.address

    @property
    def network(self) -> Network:
        """The chain."""
        return self.contracts.network

    @cached_property
    def steward(self) -> Address:
        """The organisation whose gatekeeper it is: as it says, and as the registry confirms.

        Raises:
            InvalidRequest: The registry knows no such steward.
            TransportError: The gatekeeper or the node does not answer.
        """
        return steward_of(self.api, self.contracts)

    def relay(
        self, action: Action, *, terms: Terms | None = None, wait: bool = True
    ) -> ActionReceipt:
        """Sign an action, and have the gatekeeper send it. Errors as `relay.relay`.

        Where the gatekeeper has no such patient, or does not answer, and a sender was named, that
        one sends it and pays. What was signed counts once, whoever sends it.
        """
        document = None if terms is None else terms.document()
        if self._sender is None or terms is not None:  # a gatekeeper has to keep the terms
            return relay(self.api, self.contracts, action, self.signer, terms=document, wait=wait)
        try:
            taken = relay(self.api, self.contracts, action, self.signer, wait=False)
        except AccessRefused as refused:
            if refused.reason is not Refusal.UNKNOWN_PATIENT:
                raise
            return self.send(action, wait=wait)
        except TransportError:
            return self.send(action, wait=wait)
        return taken.wait() if wait else taken

    def send(self, action: Action, *, wait: bool = True) -> ActionReceipt:
        """Sign an action, send it and pay for it.

        Raises:
            InvalidRequest: Nobody pays.
            ContractReverted: A contract refuses.
            TransportError: The node does not answer, or it was not mined in time.
        """
        if self._sender is None:
            raise InvalidRequest(
                "no gatekeeper relays this: name a sender that pays for it, as `sender=`"
            )
        signed = actions.signed(action, self.signer)
        return send(self._sender, signed, id=action.digest, wait=wait)

    def terms(
        self,
        *scopes: Scope | str,
        purposes: Iterable[Purpose] = (Purpose.TREAT,),
        period: DatePeriod | None = None,
        include_undated: bool = False,
        excluded_labels: Iterable[str] = (),
        records: Iterable[str] = (),
    ) -> Terms:
        """Terms about records of this steward, with a fresh salt.

        Args:
            *scopes: SMART scopes, such as ``patient/Observation.rs?category=laboratory``.
            purposes: What for.
            period: The days the records may be about; any unless given.
            include_undated: Whether records that tell no day are covered.
            excluded_labels: Codes of sensitivity whose records are left out.
            records: Single records, ``Type/id``; all that the scopes allow unless given.

        Raises:
            InvalidScope: A scope is malformed, or not among those granted here.
            InvalidTerms: There is no scope or no purpose, or a label or record is malformed.
        """
        return Terms(
            stewards=(self.contracts.account_id(self.steward),),
            scopes=tuple(Scope.parse(str(scope)) for scope in scopes),
            purposes=tuple(purposes),
            period=period,
            include_undated=include_undated,
            excluded_labels=tuple(excluded_labels),
            records=tuple(records),
            salt=fresh_salt(),
        )
