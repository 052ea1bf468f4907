"""Followers that can be killed: ledger_process.py URL RECORD DATABASE.

For each line of input, another process follows the node into the database, and its id is printed
as it begins.
They are forked from here, so that one starts in no time.
"""

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

from medaccord.chain import Deployment, Network, connect
from medaccord.ledger import Follower, Following
from medaccord.store import open_engine


def follow(url: str, record: str, database: str, parent: int) -> None:
    network = Network.connect(url, confirmations=2)
    contracts = connect(network, Deployment.load(Path(record)))
    follower = Follower(network, contracts, open_engine(database))
    print(os.getpid(), flush=True)
    with Following(follower, every=timedelta(milliseconds=20)):
        while os.getppid() == parent:
            time.sleep(0.1)


def main(url: str, record: str, database: str) -> None:
    parent = os.getpid()
    for _ in sys.stdin:
        process = os.fork()
        if process == 0:
            follow(url, record, database, parent)
            os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
