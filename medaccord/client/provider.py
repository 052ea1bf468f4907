"""What an organisation does: ask, read under a consent, open an emergency, keep relationships."""

from __future__ import annotations

import httpx

from medaccord.chain import actions
from medaccord.chain.deployment import Contracts
from medaccord.chain.sender import Sender
from medaccord.client.action_receipts import ActionReceipt
from medaccord.client.breaking_glass import ProviderEmergency
from medaccord.client.consents import HeldConsents
from medaccord.client.directory import organisation_of
from medaccord.client.reading import Reader
from medaccord.client.records import ProviderRecords
from medaccord.client.relationships import StewardRelationships
from medaccord.client.requests import ProviderRequests
from medaccord.client.visitor import Visitor
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import Address, Digest
from medaccord.core.profiles import OrganisationProfile
from medaccord.core.purposes import Purpose
from medaccord.keys.signer import Signer


class Provider(Visitor):
    """An organisation, at the gatekeeper of one steward: another's, to read, or its own.

    Attributes:
        relationships: With patients whose records it keeps itself.
        requests: What it asks patients for.
        consents: Those that name it.
        records: What it may read.
        emergency: Emergency access, where it has that role.
    """

    purpose = Purpose.TREAT

    def __init__(
        self,
        signer: Signer,
        contracts: Contracts,
        gatekeeper: str,
        *,
        account: Address | None = None,
        sender: Sender | None = None,
        http: httpx.Client | None = None,
        envelope_key: bytes | None = None,
    ) -> None:
        """Act for an organisation.

        Args:
            signer: Its controller, or a delegate.
            contracts: From `medaccord.connect`.
            gatekeeper: Address of the steward's gatekeeper.
            account: The organisation; the signer's own account unless given.
            sender: Pays for its transactions; the signer's own key unless given.
            http: The client to send with, which stays open; one of its own unless given.
            envelope_key: X25519 private key, 32 bytes, of the public one that the organisation has
                in the Registry: records come sealed to it then, and are opened here.

        Raises:
            InvalidRequest: The gatekeeper is no steward's.
            TransportError: The gatekeeper or the node does not answer.
        """
        payer = sender or Sender(contracts.network, signer)
        super().__init__(signer, contracts, gatekeeper, account=account, sender=payer, http=http)
        try:
            steward = self.steward
        except BaseException:
            self.close()
            raise
        acting = self._acting
        reader = Reader(acting.session, acting.evidence, steward, envelope_key=envelope_key)
        self.relationships = StewardRelationships(acting)
        self.requests = ProviderRequests(acting)
        self.consents = HeldConsents(acting)
        self.records = ProviderRecords(acting, reader)
        self.emergency = ProviderEmergency(acting, reader.belief)

    def publish(
        self, profile: OrganisationProfile, *, key: Digest | None = None, wait: bool = True
    ) -> ActionReceipt:
        """Register a profile, and bring it to this gatekeeper; every other one is brought it too.

        Args:
            profile: The new one, with a serial above that of the one before.
            key: The X25519 public key to register with it; the one registered unless given.
            wait: Whether to wait until it is mined. Unless one does, it is not brought here: wait
                for the receipt, and use `directory.publish`.

        Raises:
            InvalidInput: It is the profile of another account.
            ContractReverted: The account was never admitted, or this is not its controller.
            TransportError: The gatekeeper or the node does not answer, or it was not mined in time.
        """
        acting = self._acting
        named = acting.contracts.account_id(self.account)
        if profile.account != named:
            raise InvalidInput(f"this is the profile of {profile.account}, not of {named}")
        registered = Digest(bytes(organisation_of(acting.contracts, self.account)["key"]))
        action = actions.publish(
            acting.contracts,
            account=self.account,
            key=registered if key is None else key,
            profile=profile.hash,
            by=acting.by,
        )
        receipt = acting.send(action, wait=wait)
        if wait:
            self.directory.publish(profile)
        return receipt
