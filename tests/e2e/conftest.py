"""What is built once for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.ward import Ward
from tests.e2e.ward import ward as built


@pytest.fixture(scope="session")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """Two hospitals and a patient, for commands. Tests leave it as they find it, or add to it."""
    with built(tmp_path_factory.mktemp("ward")) as made:
        yield made
