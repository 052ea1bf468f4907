"""How fast the ledger follows, is rebuilt and resumed, and decides, however much there is in it.

    python -m benchmarks.ledger                 a table
    python -m benchmarks.ledger --json          the figures as JSON
    python -m benchmarks.ledger --scale 0.01    the same over a hundredth of everything

Exits with 1 when decisions over the most consents are less than half as fast as over the fewest.

The chain is generated (`benchmarks.synthetic_chain`) and served in this process, so no network and
no node's own time is measured; a node's answers are parsed from JSON, held to their headers, kept
in SQLite and projected by the code that a gatekeeper runs. For decisions, the generated events are
put into the database without a node, and the ledger takes up from there.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.memory import peak_bytes
from benchmarks.synthetic_chain import (
    CHAIN_ID,
    CONSENTS_EACH,
    STEWARD,
    SyntheticChain,
    SyntheticNode,
)
from medaccord.core.decision import decide
from medaccord.core.facts import Bounds, Query
from medaccord.core.identifiers import AccountId, digest
from medaccord.core.purposes import Purpose
from medaccord.core.scopes import Scope
from medaccord.core.terms import Terms
from medaccord.ledger import Ledger
from medaccord.ledger.history import History
from medaccord.store import open_engine

EVENTS: Final = 100_000
CONSENTS: Final = (1_000, 100_000, 1_000_000)
LEAST_RATIO: Final = 0.5
"""Decisions over the most consents, as a share of those over the fewest."""

_TERMS: Final = Terms(
    stewards=(AccountId(chain_id=CHAIN_ID, address=STEWARD),),
    scopes=(Scope.parse("patient/Observation.rs"),),
    purposes=(Purpose.TREAT,),
    salt=digest(b"\x01" * 32),
)
_DECISIONS: Final = 5_000
_ROUNDS: Final = 5
_BLOCKS_AT_ONCE: Final = 2_000
_BOUNDS: Final = Bounds(
    max_node_silence=timedelta(days=1),  # making a million consents takes minutes
    max_blocks_behind=0,
    max_clock_skew=timedelta(seconds=5),
    max_head_age=None,
)


def measure(scale: float, folder: Path) -> dict[str, float]:
    """Every figure by its name.

    Args:
        scale: share of events, consents and decisions, above 0.
        folder: where databases may be made.
    """
    figures = following(max(int(EVENTS * scale), 1_000), folder / "following.db")
    sizes = sorted({max(int(size * scale), 50) for size in CONSENTS})
    desks = [Desk(size, folder, decisions=int(_DECISIONS * min(scale * 10, 1))) for size in sizes]
    # In turns, so that whatever else the machine does bears on all of them alike.
    seconds = [[desk.decide_all() for desk in desks] for _ in range(_ROUNDS)]
    for place, desk in enumerate(desks):
        fastest = min(each[place] for each in seconds)
        figures[f"decisions_per_second_{desk.consents}"] = len(desk.queries) / fastest
    rates = [figures[f"decisions_per_second_{size}"] for size in sizes]
    figures["decisions_ratio"] = rates[-1] / rates[0]
    figures["peak_memory_mib"] = peak_bytes() / 2**20  # the generated chain's answers among it
    return figures


def following(wanted: int, path: Path) -> dict[str, float]:
    """Sync that many events, rebuild the ledger from nothing, resume it from the database."""
    chain = SyntheticChain(wanted * CONSENTS_EACH // (CONSENTS_EACH + 2), terms=_TERMS.commitment)
    node = SyntheticNode(chain)
    network = node.network()
    contracts = node.contracts(network)
    engine = open_engine(f"sqlite:///{path}")
    ledger = Ledger(network, contracts, engine)
    synced = _seconds(ledger.sync)
    rebuilt = _seconds(ledger.rebuild)
    resumed = _seconds(lambda: Ledger(network, contracts, engine))
    engine.dispose()
    return {
        "events": chain.events,
        "sync_events_per_second": chain.events / synced,
        "rebuild_seconds": rebuilt,
        "resume_seconds": resumed,
    }


class Desk:
    """A ledger of so many consents, and queries that each of them permits.

    Attributes:
        consents: how many there are, about.
        queries: of patients and grantees drawn at random.
    """

    def __init__(self, consents: int, folder: Path, *, decisions: int) -> None:
        """Put the generated events into a database, and take up from there."""
        self.consents = consents
        self._chain = chain = SyntheticChain(consents, terms=_TERMS.commitment)
        node = SyntheticNode(chain, upto=0)
        network = node.network()
        contracts = node.contracts(network)
        engine = open_engine(f"sqlite:///{folder / f'{consents}.db'}")
        history = History(engine, network, contracts)
        tip = None
        for first in range(1, chain.height + 1, _BLOCKS_AT_ONCE):
            stretch = chain.stretch(first, min(first + _BLOCKS_AT_ONCE - 1, chain.height))
            history.append(stretch, after=tip, in_place_of=tip)
            tip = stretch.tip
        self._ledger = Ledger(network, contracts, engine)
        self._ledger.sync()
        engine.dispose()
        dice = random.Random(consents)
        drawn = [
            (dice.randrange(chain.patients), dice.randrange(CONSENTS_EACH))
            for _ in range(decisions)
        ]
        self.queries = [
            Query(
                requester=chain.grantee(patient, place),
                patient=chain.patient(patient),
                purpose=Purpose.TREAT,
                interaction="s",
                resource_type="Observation",
            )
            for patient, place in drawn
        ]

    def decide_all(self) -> float:
        """Decide on every query; seconds of the processor that it took."""
        gc.collect()
        start = time.process_time()
        for query in self.queries:
            facts = self._ledger.facts(
                query,
                steward=self._chain.steward,
                terms=lambda _: _TERMS,
                reason_known=lambda _: False,
                now=self._chain.now,
            )
            decide(query, facts, now=self._chain.now, bounds=_BOUNDS)
        return time.process_time() - start


def main() -> int:
    """Measure, print, and say whether decisions stay fast enough."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--scale", type=float, default=1.0, help="share of events and consents")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(wanted.scale, Path(folder))
    if wanted.json:
        print(json.dumps({name: round(figure, 3) for name, figure in figures.items()}, indent=2))
    else:
        table = Table("figure", "value")
        for name, figure in figures.items():
            table.add_row(name, f"{figure:,.2f}")
        Console().print(table)
    if figures["decisions_ratio"] < LEAST_RATIO:
        print(f"decisions slow down below {LEAST_RATIO} as consents grow", file=sys.stderr)
        return 1
    return 0


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
