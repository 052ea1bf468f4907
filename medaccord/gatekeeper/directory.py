"""The public profiles of organisations, each served only while the chain names its hash."""

from collections.abc import Mapping
from typing import Any

from eth_utils.crypto import keccak
from fastapi import APIRouter
from sqlalchemy import delete, insert, select
from starlette.responses import Response

from medaccord.core.canonical import document_bytes
from medaccord.core.errors import CommitmentMismatch
from medaccord.core.identifiers import ZERO_DIGEST, Address, Digest, address
from medaccord.core.profiles import OrganisationProfile
from medaccord.gatekeeper.errors import NotFound
from medaccord.gatekeeper.foundation import Foundation
from medaccord.store import reading, writing
from medaccord.store.tables import directory_profile


class Directory:
    """Keeps profiles, and gives out those that are in force."""

    def __init__(self, base: Foundation) -> None:
        self._engine = base.engine
        self._ledger = base.ledger
        self._standing = base.standing
        self._chain_id = base.network.chain_id

    def publish(self, document: OrganisationProfile | Mapping[str, Any]) -> Digest:
        """Keep a profile, so that it is served from now on, in place of any older one.

        Returns:
            Its hash.

        Raises:
            InvalidDocument: it is malformed.
            CommitmentMismatch: the registry names another profile for that account, or none.
            TransportError: the chain is out of reach.
        """
        if isinstance(document, OrganisationProfile):
            profile = document
        else:
            profile = OrganisationProfile.parse(document)
        self._ledger.sync()
        account = profile.account
        if account.chain_id != self._chain_id:
            raise CommitmentMismatch(f"{account} is an account of another chain")
        profile.check(account, self._in_force(account.address))
        with writing(self._engine) as connection:
            connection.execute(
                delete(directory_profile).where(directory_profile.c.account == account.address)
            )
            connection.execute(
                insert(directory_profile).values(
                    hash=profile.hash,
                    account=account.address,
                    document=document_bytes(profile.document()),
                    published_at=self._standing.clock(),
                )
            )
        return profile.hash

    def profile(self, account: Address) -> bytes:
        """The profile in force of an account, in its RFC 8785 form.

        Raises:
            NotFound: it has none here, or the registry names another by now.
        """
        self._standing.refresh()
        with reading(self._engine) as connection:
            document = connection.scalar(
                select(directory_profile.c.document).where(directory_profile.c.account == account)
            )
        if document is None or keccak(document) != self._in_force(account):
            raise NotFound(f"this gatekeeper has no profile of {account} that is in force")
        return bytes(document)

    def _in_force(self, account: Address) -> Digest:
        organisation = self._ledger.organisation(account)
        return ZERO_DIGEST if organisation is None else organisation.profile


def routes(directory: Directory) -> APIRouter:
    """GET /directory/{account}."""
    router = APIRouter()

    @router.get("/directory/{account}")
    def profile(account: str) -> Response:
        return Response(directory.profile(address(account)), media_type="application/json")

    return router
