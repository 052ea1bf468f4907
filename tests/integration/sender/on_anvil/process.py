"""A process that sends, and may be killed at a point; run by its path with an order in JSON.

It appends numbers to streams of their own and prints `ready` before, `done` after.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from medaccord.chain import Deployment, Network, Sender, actions, connect, reverts
from medaccord.core.identifiers import ZERO_DIGEST, digest
from medaccord.core.outgoing import Attempt, Outgoing, SendingKey
from medaccord.keys import LocalSigner
from medaccord.store import open_engine
from medaccord.store.outgoing import DatabaseOutbox

ROOT = digest(b"\x77" * 32)

Point = Literal["recorded", "sent", "settling"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a process is to do.

    Attributes:
        url: of the node.
        deployment: path of the record.
        database: URL of the outbox's database.
        key: of the sender, in hex.
        numbers: which to append: the first, and the one after the last.
        kill: where to die; None nowhere.
    """

    url: str
    deployment: str
    database: str
    key: str
    numbers: tuple[int, int]
    kill: Point | None = None

    def command(self) -> list[str]:
        return [sys.executable, __file__, json.dumps(asdict(self))]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly(DatabaseOutbox):
    """Kills the process at a point."""

    kill: Point | None = None

    def record(
        self, key: SendingKey, *, nonce: int, purpose: str | None, document: str, attempt: Attempt
    ) -> Outgoing:
        made = super().record(key, nonce=nonce, purpose=purpose, document=document, attempt=attempt)
        if self.kill == "recorded":
            die()
        return made

    def settle(self, id: int, *, at: datetime) -> None:
        if self.kill == "settling":
            die()
        super().settle(id, at=at)


def main(order: Order) -> None:
    engine = open_engine(order.database)
    outbox = Deadly(engine)
    outbox.kill = order.kill
    network = Network.connect(order.url)
    signer = LocalSigner.unsafe_from_key(bytes.fromhex(order.key))
    sender = Sender(network, signer, outbox=outbox, timeout=timedelta(seconds=30))
    contracts = connect(network, Deployment.load(Path(order.deployment)))
    print("ready", flush=True)
    sys.stdin.readline()
    sender.resume()

    def send(number: int) -> None:
        topic = digest(number.to_bytes(32, "big"))
        action = actions.append(
            contracts, account=signer.address, topic=topic, root=ROOT, previous=ZERO_DIGEST
        )
        purpose = f"number:{number}"
        if order.kill == "sent":
            actions.submit(sender, action, wait=False, purpose=purpose)
            die()
        with suppress(reverts.WrongHead):  # an earlier process has done it
            actions.submit(sender, action, purpose=purpose)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(*order.numbers)))
    print("done", flush=True)
    engine.dispose()


if __name__ == "__main__":
    main(Order(**json.loads(sys.argv[1])))
