"""A gatekeeper in a process of its own, and beside it the bare stack that it is compared with.

It says where both are on a line of standard output, then mines what it is told to on standard
input, and ends with it.
"""

from __future__ import annotations

import json
import random
import sys
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.bare_stack import bare_stack
from benchmarks.hospital import Hospital
from benchmarks.hospital_chain import HospitalNode
from benchmarks.memory import peak_bytes
from benchmarks.patients import observation
from medaccord.gatekeeper import Gatekeeper
from medaccord.gatekeeper.server import bind, serve
from medaccord.keys import LocalSigner
from medaccord.store import open_engine

_A_DAY = timedelta(days=1)


def main(hospital: Hospital) -> None:
    """Serve until standard input ends."""
    chain = hospital.chain()
    node = HospitalNode(chain)
    gatekeeper = Gatekeeper.open(
        steward=chain.steward,
        signer=LocalSigner.create(),
        network=node.network(),
        deployment=chain.deployment,
        database_url=hospital.database_url,
        keys_folder=hospital.folder / "keys",
        poll_interval=timedelta(seconds=0.5),  # what `medaccord serve` comes with
        log_interval=_A_DAY,  # nothing is sent to this chain
        retry_interval=_A_DAY,
    )
    engine = open_engine(hospital.database_url)
    content = json.dumps(observation(random.Random(0), "patient-0", "0-0"), separators=(",", ":"))
    keys = hospital.folder / "keys"
    app = bare_stack(engine, gatekeeper.ledger, chain.steward, keys, content.encode())
    bare = serve(app, bind())
    try:
        _say(gatekeeper=gatekeeper.serve().url, bare=bare.url)
        for line in sys.stdin:
            kind, patient, place = line.split()
            make = chain.revocation if kind == "revocation" else chain.emergency
            node.mine([make(int(patient), int(place))])
            _say(mined_at=time.monotonic())
    finally:
        bare.stop()
        gatekeeper.close()
        engine.dispose()
    _say(peak_mebibytes=round(peak_bytes() / 2**20))


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    patients, records, height, folder, url = sys.argv[1:]
    main(
        Hospital(
            patients=int(patients),
            records=int(records),
            height=int(height),
            folder=Path(folder),
            database_url=url,
        )
    )
