"""The directory: profiles, served only while the chain names their hash."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from medaccord.chain import Contracts, Sender, actions
from medaccord.core.canonical import document_bytes
from medaccord.core.errors import CommitmentMismatch, InvalidDocument
from medaccord.core.identifiers import Digest
from medaccord.core.profiles import OrganisationProfile
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from tests.integration.conftest import KEY
from tests.integration.gatekeeper.desk import Desk, assert_refused


@pytest.fixture
def profile(contracts: Contracts, hospital: LocalSigner) -> OrganisationProfile:
    return OrganisationProfile(
        account=contracts.account_id(hospital.address),
        name="Hospital A",
        gatekeeper="http://127.0.0.1:8080",
    )


def _register(
    contracts: Contracts, sender: Sender, organisation: LocalSigner, profile: Digest
) -> None:
    action = actions.publish(contracts, account=organisation.address, key=KEY, profile=profile)
    actions.submit(sender, actions.signed(action, organisation))


def test_profile_is_served_as_it_was_hashed_when_published(
    desk: Desk,
    gatekeeper: Gatekeeper,
    contracts: Contracts,
    sender: Sender,
    hospital: LocalSigner,
    profile: OrganisationProfile,
) -> None:
    _register(contracts, sender, hospital, profile.hash)
    assert gatekeeper.directory.publish(profile) == profile.hash
    answer = desk.http.get(f"/directory/{hospital.address}")
    assert (answer.status_code, answer.content) == (200, document_bytes(profile.document()))
    assert answer.headers["content-type"] == "application/json"


def test_profile_is_refused_when_the_registry_names_another(
    gatekeeper: Gatekeeper, profile: OrganisationProfile
) -> None:
    with pytest.raises(CommitmentMismatch):
        gatekeeper.directory.publish(profile.document())


def test_profile_is_refused_when_malformed(gatekeeper: Gatekeeper) -> None:
    with pytest.raises(InvalidDocument):
        gatekeeper.directory.publish({"profile": "another"})


def test_profile_is_served_no_longer_when_the_registry_names_another(
    desk: Desk,
    gatekeeper: Gatekeeper,
    contracts: Contracts,
    sender: Sender,
    hospital: LocalSigner,
    profile: OrganisationProfile,
) -> None:
    _register(contracts, sender, hospital, profile.hash)
    gatekeeper.directory.publish(profile)
    _register(contracts, sender, hospital, KEY)
    assert_refused(desk.http.get(f"/directory/{hospital.address}"), 404, "NotFound")


def test_profile_is_not_served_when_it_was_changed_in_the_database(
    desk: Desk,
    gatekeeper: Gatekeeper,
    contracts: Contracts,
    sender: Sender,
    hospital: LocalSigner,
    profile: OrganisationProfile,
    folder: Path,
) -> None:
    _register(contracts, sender, hospital, profile.hash)
    gatekeeper.directory.publish(profile)
    with closing(sqlite3.connect(folder / "records.db")) as database, database:
        database.execute("update directory_profile set document = cast('{}' as blob)")
    assert_refused(desk.http.get(f"/directory/{hospital.address}"), 404, "NotFound")


def test_profile_is_not_found_when_there_is_none(desk: Desk, stranger: LocalSigner) -> None:
    assert_refused(desk.http.get(f"/directory/{stranger.address}"), 404, "NotFound")


def test_profile_is_refused_when_the_account_is_no_address(desk: Desk) -> None:
    assert_refused(desk.http.get("/directory/hospital"), 400, "InvalidIdentifier")
