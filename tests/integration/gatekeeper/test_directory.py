"""The directory: profiles, served only while the chain names their hash."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from medaccord.chain import Contracts, Sender, actions
from medaccord.chain.embedded import EmbeddedChain
from medaccord.client import directory as client
from medaccord.client.gatekeeper_api import GatekeeperApi
from medaccord.core.canonical import document_bytes
from medaccord.core.errors import CommitmentMismatch, InvalidDocument
from medaccord.core.identifiers import Digest, hex_digest
from medaccord.core.key_sets import SigningKey
from medaccord.core.profiles import OrganisationProfile
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner
from tests.integration.conftest import KEY
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.conftest import Opener, Visit
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


def test_profile_is_served_when_anybody_handed_it_in(
    desk: Desk,
    contracts: Contracts,
    sender: Sender,
    hospital: LocalSigner,
    profile: OrganisationProfile,
) -> None:
    _register(contracts, sender, hospital, profile.hash)
    api = GatekeeperApi(desk.url)
    directory = client.Directory(contracts, api)
    directory.publish(profile)
    directory.publish(profile)
    assert directory.profile(hospital.address) == profile
    path = f"/directory/{hospital.address}"
    assert desk.http.put(path, json=profile.document()).json() == {
        "account": str(profile.account),
        "hash": hex_digest(profile.hash),
    }
    api.close()


def test_profile_is_not_sent_when_the_registry_names_another(
    desk: Desk, contracts: Contracts, profile: OrganisationProfile
) -> None:
    with pytest.raises(CommitmentMismatch):
        client.Directory(contracts, GatekeeperApi(desk.url)).publish(profile)
    assert_refused(desk.http.get(f"/directory/{profile.account.address}"), 404, "NotFound")


def test_profile_handed_in_is_refused_when_an_older_one_of_the_account(
    desk: Desk,
    contracts: Contracts,
    sender: Sender,
    hospital: LocalSigner,
    profile: OrganisationProfile,
) -> None:
    path = f"/directory/{hospital.address}"
    newer = replace(profile, name="Hospital A and B")
    for each in (profile, newer):
        _register(contracts, sender, hospital, each.hash)
        assert desk.http.put(path, json=each.document()).status_code == 200
    assert_refused(desk.http.put(path, json=profile.document()), 400, "CommitmentMismatch")
    assert desk.http.get(path).content == document_bytes(newer.document())


def test_profile_handed_in_is_refused_when_of_another_account_than_the_path_names(
    desk: Desk,
    contracts: Contracts,
    sender: Sender,
    hospital: LocalSigner,
    clinician: LocalSigner,
    profile: OrganisationProfile,
) -> None:
    _register(contracts, sender, hospital, profile.hash)
    answer = desk.http.put(f"/directory/{clinician.address}", json=profile.document())
    assert_refused(answer, 400, "CommitmentMismatch")


def test_profile_handed_in_is_refused_when_the_account_was_never_admitted(
    desk: Desk, contracts: Contracts, stranger: LocalSigner
) -> None:
    profile = OrganisationProfile(account=contracts.account_id(stranger.address), name="Nobody")
    answer = desk.http.put(f"/directory/{stranger.address}", json=profile.document())
    assert_refused(answer, 400, "CommitmentMismatch")


def test_profile_handed_in_is_refused_when_a_key_of_it_is_private(
    desk: Desk, hospital: LocalSigner, profile: OrganisationProfile
) -> None:
    private = json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1())))
    document = profile.document() | {"jwks": {"keys": [private | {"kid": "1"}]}}
    answer = desk.http.put(f"/directory/{hospital.address}", json=document)
    assert_refused(answer, 400, "InvalidDocument")
    assert "consider it stolen" in answer.text
    assert private["d"] not in answer.text


def test_key_counts_from_when_its_profile_is_final_and_until_another_is_seen(
    opened: Opener,
    visit: Visit,
    cable: Cable,
    chain: EmbeddedChain,
    contracts: Contracts,
    sender: Sender,
    hospital: LocalSigner,
    profile: OrganisationProfile,
) -> None:
    gatekeeper = opened(network=cable.network(confirmations=2))
    desk = visit(gatekeeper)
    old, both, new = (
        SigningKey.of(ec.generate_private_key(ec.SECP384R1()).public_key(), kid=name)
        for name in ("old", "both", "new")
    )

    def publish(*keys: SigningKey) -> None:
        made = replace(profile, jwks=keys)
        _register(contracts, sender, hospital, made.hash)
        answer = desk.http.put(f"/directory/{hospital.address}", json=made.document())
        assert answer.status_code == 200, answer.text

    def counting() -> set[str]:
        gatekeeper.ledger.sync()
        return {each.kid for each in gatekeeper.directory.keys(hospital.address)}

    publish(old, both)
    chain.mine(2)
    assert counting() == {"old", "both"}
    publish(both, new)
    assert counting() == {"both"}
    assert not gatekeeper.directory.carries(hospital.address, old.thumbprint)
    assert not gatekeeper.directory.carries(hospital.address, new.thumbprint)
    assert gatekeeper.directory.carries(hospital.address, both.thumbprint)
    chain.mine(2)
    assert counting() == {"both", "new"}
