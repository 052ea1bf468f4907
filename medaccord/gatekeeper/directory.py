"""The public profiles of organisations, each served only while the chain names its hash.

The chain names a profile, so that anybody may hand one in: an organisation brings its keys to every
gatekeeper it wants to sign in to. What the chain does not name is not kept.
"""

from collections.abc import Mapping
from typing import Any, Final

from eth_utils.crypto import keccak
from fastapi import APIRouter
from pydantic import StrictInt
from sqlalchemy import delete, insert, select
from starlette.responses import Response

from medaccord.core.canonical import document_bytes
from medaccord.core.errors import CommitmentMismatch
from medaccord.core.identifiers import (
    ZERO_DIGEST,
    AccountId,
    Address,
    Digest,
    address,
    hex_digest,
)
from medaccord.core.key_sets import SigningKey
from medaccord.core.profiles import OrganisationProfile
from medaccord.gatekeeper.errors import BodyTooLarge, NotFound
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.openapi import REFUSALS, Tag
from medaccord.gatekeeper.wire import Form
from medaccord.store import reading, writing
from medaccord.store.tables import directory_profile

MAX_PROFILE_BYTES: Final = 32 * 1024
"""Length of the longest profile kept, inclusive: ten keys of 8192 bits are 15,000 bytes."""

_MAX_KNOWN: Final = 1000
"""Profiles whose keys are remembered; each is small, and what is asked again is read again."""

_Keys = Mapping[str, SigningKey]


class Directory:
    """Keeps profiles, and gives out those that are in force."""

    def __init__(self, base: Foundation) -> None:
        self._engine = base.engine
        self._ledger = base.ledger
        self._standing = base.standing
        self._chain_id = base.network.chain_id
        self._known: dict[Digest, _Keys] = {}

    def publish(self, document: OrganisationProfile | Mapping[str, Any]) -> Digest:
        """Ask the chain, and keep a profile, so that it is served from now on.

        Returns:
            Its hash.

        Raises:
            BodyTooLarge: it has over `MAX_PROFILE_BYTES`.
            InvalidDocument: it is malformed.
            CommitmentMismatch: the registry names another profile for that account, or none.
            TransportError: the chain is out of reach.
        """
        if isinstance(document, OrganisationProfile):
            profile = document
        else:
            profile = OrganisationProfile.parse(document)
        self._ledger.sync()
        return self._keep(profile)

    def take(self, account: Address, document: Mapping[str, Any]) -> Digest:
        """Keep the profile of an organisation, whoever hands it in, if the chain names it.

        Returns:
            Its hash.

        Raises:
            AccessRefused: CHAIN_UNREACHABLE and its like.
            BodyTooLarge: it has over `MAX_PROFILE_BYTES`.
            CommitmentMismatch: it is another account's, or the registry names another, or none.
            InvalidDocument: it is malformed.
        """
        profile, named = OrganisationProfile.parse(document), self._named(account)
        if profile.account != named:
            raise CommitmentMismatch(f"this is the profile of {profile.account}, not of {named}")
        self._standing.require_fresh()
        return self._keep(profile)

    def _keep(self, profile: OrganisationProfile) -> Digest:
        account, document = profile.account, document_bytes(profile.document())
        if len(document) > MAX_PROFILE_BYTES:
            raise BodyTooLarge(f"a profile has at most {MAX_PROFILE_BYTES} bytes")
        if account.chain_id != self._chain_id:
            raise CommitmentMismatch(f"{account} is an account of another chain")
        profile.check(account, self._at_head(account.address))
        if self._document(profile.hash) is not None:
            return profile.hash  # whoever hands it in again makes nobody wait
        # The one before still counts, with this one, until this one is final.
        counting = set(self._ledger.profiles_in_force(account.address)) - {profile.hash}
        table = directory_profile
        with writing(self._engine) as connection:
            connection.execute(
                delete(table).where(
                    table.c.account == account.address, table.c.hash.not_in(counting)
                )
            )
            connection.execute(
                insert(table).values(
                    hash=profile.hash,
                    account=account.address,
                    document=document,
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
        document = self._document(self._at_head(account))
        if document is None:
            raise NotFound(f"this gatekeeper has no profile of {account} that is in force")
        return document

    def keys(self, account: Address) -> tuple[SigningKey, ...]:
        """The keys that an organisation's systems sign in with, as far as is known here now.

        A key counts from when the profile that names it is final, until another profile is seen.
        There is none of an organisation whose profile was not handed in here.
        """
        hashes = self._ledger.profiles_in_force(account)
        newest, *others = [self._keys_of(each) for each in hashes] or [{}]
        return tuple(key for name, key in newest.items() if all(name in other for other in others))

    def carries(self, account: Address, thumbprint: str) -> bool:
        """Whether a key is one that an organisation's systems sign in with now."""
        hashes = self._ledger.profiles_in_force(account)
        return bool(hashes) and all(thumbprint in self._keys_of(each) for each in hashes)

    def _keys_of(self, profile: Digest) -> _Keys:
        """The keys of a profile, by thumbprint. What a hash names never changes."""
        found = self._known.get(profile)
        if found is None:
            document = self._document(profile)
            if document is None:
                return {}
            found = {each.thumbprint: each for each in OrganisationProfile.parse(document).jwks}
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[profile] = found
        return found

    def _document(self, profile: Digest) -> bytes | None:
        with reading(self._engine) as connection:
            document = connection.scalar(
                select(directory_profile.c.document).where(directory_profile.c.hash == profile)
            )
        return None if document is None or keccak(document) != profile else bytes(document)

    def _named(self, account: Address) -> AccountId:
        return AccountId(chain_id=self._chain_id, address=account)

    def _at_head(self, account: Address) -> Digest:
        organisation = self._ledger.organisation(account)
        return ZERO_DIGEST if organisation is None else organisation.profile


class ProfileForm(Form):
    """Body of PUT /directory/{account}: a profile, `medaccord/organisation/1`."""

    profile: str
    account: str
    name: str
    gatekeeper: str | None = None
    jwks: dict[str, Any] | None = None
    serial: StrictInt | None = None


class Published(Form):
    """What became of a profile."""

    account: str
    hash: str


def routes(directory: Directory) -> APIRouter:
    """GET and PUT /directory/{account}."""
    router = APIRouter(prefix="/directory", tags=[Tag.DIRECTORY])

    @router.get(
        "/{account}",
        summary="The profile in force of an organisation",
        responses=REFUSALS,
        response_model=ProfileForm,
    )
    def profile(account: str) -> Response:
        return Response(directory.profile(address(account)), media_type="application/json")

    @router.put(
        "/{account}",
        summary="Hand in the profile that the chain names for an organisation",
        responses=REFUSALS,
    )
    def keep(account: str, form: ProfileForm) -> Published:
        kept = directory.take(address(account), form.model_dump(exclude_unset=True))
        return Published(account=form.account, hash=hex_digest(kept))

    return router
