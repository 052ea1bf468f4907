"""A gatekeeper that answers from what it followed, and not from what it asks at each request."""

from __future__ import annotations

import time
from datetime import timedelta

from medaccord.chain.embedded import EmbeddedChain
from medaccord.gatekeeper import Gatekeeper
from tests.integration.gatekeeper.conftest import Opener

_PATIENCE = 20


def reaches(gatekeeper: Gatekeeper, number: int) -> bool:
    last = time.monotonic() + _PATIENCE
    while time.monotonic() < last:
        tip = gatekeeper.ledger.tip
        if tip is not None and tip.number >= number:
            return True
        time.sleep(0.05)
    return False


def test_ledger_follows_by_itself_when_a_poll_interval_is_set_and_it_serves(
    opened: Opener, chain: EmbeddedChain
) -> None:
    gatekeeper = opened(poll_interval=timedelta(seconds=0.1))
    gatekeeper.serve()
    chain.mine(3)
    assert reaches(gatekeeper, gatekeeper.network.head().number)


def test_ledger_is_followed_no_more_when_the_gatekeeper_is_closed(
    opened: Opener, chain: EmbeddedChain
) -> None:
    gatekeeper = opened(poll_interval=timedelta(seconds=0.1))
    gatekeeper.serve()
    assert reaches(gatekeeper, gatekeeper.network.head().number)
    gatekeeper.close()
    before = gatekeeper.ledger.tip
    chain.mine(3)
    time.sleep(0.5)
    assert gatekeeper.ledger.tip == before
