"""A node of its own for each module of the sender's tests, with contracts to send to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from medaccord.chain import Contracts
from tests.integration.anvil import Anvil, running
from tests.integration.stream_calls import deployed


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with running() as node:
        yield node


@pytest.fixture(scope="module")
def contracts(node: Anvil) -> Contracts:
    return deployed(node.network(), node.funded_signer())
