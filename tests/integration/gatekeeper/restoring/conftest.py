"""A patient with a phrase, who lives, loses the device, and restores."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from medaccord.chain import Contracts, Sender
from medaccord.client.restored import Restored
from medaccord.client.restoring import restore
from medaccord.gatekeeper import Gatekeeper
from medaccord.keys import LocalSigner, Seed
from tests.integration.gatekeeper.desk import Desk
from tests.integration.gatekeeper.restoring.life import Life


@pytest.fixture
def seed() -> Seed:
    return Seed.create()


@pytest.fixture
def life(
    seed: Seed,
    desk: Desk,
    gatekeeper: Gatekeeper,
    contracts: Contracts,
    sender: Sender,
    clinician: LocalSigner,
) -> Life:
    return Life(
        seed=seed,
        desk=desk,
        gatekeeper=gatekeeper,
        contracts=contracts,
        sender=sender,
        grantee=clinician,
    )


@pytest.fixture
def restored(
    seed: Seed, desk: Desk, contracts: Contracts, hospital: LocalSigner
) -> Callable[[], Restored]:
    """Restores with the phrase, the chain and the hospital's gatekeeper."""
    return lambda: restore(seed, contracts, {hospital.address: desk.url})
