"""How fast a gatekeeper answers with everything on, beside the stack it stands on, and obeys.

    python -m benchmarks.gatekeeper                    a table
    python -m benchmarks.gatekeeper --json             the figures as JSON
    python -m benchmarks.gatekeeper --records 2000     the same over fewer patients and records

Exits with 1 when authorised reads are less than half as fast as the same stack with enforcement and
audit replaced by one bare durable insert (`benchmarks.bare_stack`).

On SQLite and on PostgreSQL alike, a server process answers on one half of the processor's cores
(PostgreSQL's own processes share them), and this one asks on the other half, over 64 kept-alive
connections, each time about another patient. There are ten consents of each patient, each with
terms of its own. What is compared takes turns, so that whatever else the machine does bears on all
of it alike. Times are those of the client. Making the hospital takes some minutes at first.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from benchmarks import hospital as hospitals
from benchmarks.hospital import Hospital
from benchmarks.hospital_chain import CONSENTS_EACH
from benchmarks.hospital_visit import Visit
from benchmarks.http_load import Figures, load
from benchmarks.postgresql import MISSING, binaries, server
from medaccord.store import open_engine, reading

RECORDS: Final = 100_000
RECORDS_EACH: Final = 10
"""On average; every tenth patient has 55."""

LEAST_RATIO: Final = 0.5
"""Authorised reads, as a share of reads on the bare stack."""

BATCH: Final = 50
"""Questions in one batch check."""

_DURABILITY: Final = {
    "sqlite": ("PRAGMA journal_mode", "PRAGMA synchronous"),
    "postgresql": ("SHOW fsync", "SHOW synchronous_commit", "SHOW full_page_writes"),
}


def measure(
    wanted: Hospital, kind: str, *, rounds: int, seconds: float, connections: int, obeying: int
) -> dict[str, Any]:
    """Every figure on one database.

    Args:
        wanted: the hospital, made already.
        kind: of database.
        rounds: how often each question takes its turn.
        seconds: how long a turn takes.
        connections: how many ask at the same time.
        obeying: how many revocations of either kind, and emergencies, are timed.
    """
    answering, asking = _cores()
    with Visit(wanted, answering=answering) as visit:
        os.sched_setaffinity(0, asking)
        questions = visit.questions(BATCH)
        figures = {name: Figures() for name in questions}
        for turn in range(rounds):
            visit.sign_in()
            for name, (url, requests) in questions.items():
                load(url, requests, figures[name], connections=connections, seconds=seconds)
                rate = figures[name].per_second
                _tell(f"{kind}: {name}, turn {turn + 1} of {rounds}: {rate:.0f} in a second")
        _tell(f"{kind}: revocations and emergencies")
        visit.sign_in()
        obeyed = {
            "revocation_handed_in": visit.handed_in(obeying),
            "revocation_mined": visit.mined(obeying),
            "emergency_told": visit.told(obeying),
        }
        os.sched_setaffinity(0, answering | asking)
    if wrong := {name: each.refused for name, each in figures.items() if each.refused}:
        raise SystemExit(f"not everything was answered: {wrong}")
    rates = {name: each.per_second for name, each in figures.items()}
    return {
        "durability": _durability(wanted.database_url, kind),
        **{name: each.document() for name, each in figures.items()},
        **{name: _worst(seconds_each) for name, seconds_each in obeyed.items()},
        "server_peak_mebibytes": visit.peak_mebibytes,
        "ratios": {
            "read_to_bare": round(rates["read"] / rates["bare"], 3),
            "read_to_row_alone": round(rates["read"] / rates["row_alone"], 3),
            "batch_to_check": round(BATCH * rates["batch_check"] / rates["check"], 3),
        },
    }


def measure_all(wanted: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Every figure on every database that there is; of the ratios the lowest besides."""
    patients = max(BATCH, wanted.records // RECORDS_EACH)
    here = Hospital(
        patients=patients,
        records=wanted.records,
        folder=folder,
        database_url=f"sqlite:///{folder / 'records.db'}",
    )
    _tell(f"making a hospital of {patients} patients")
    here = replace(here, height=_apart(hospitals.make, here))
    answering, asking = _cores()
    told: dict[str, Any] = {
        "records": wanted.records,
        "patients": patients,
        "consents": patients * CONSENTS_EACH,
        "connections": wanted.connections,
        "seconds_of_each": wanted.rounds * wanted.seconds,
        "cores": {"answering": sorted(answering), "asking": sorted(asking)},
    }
    sizes = {
        "rounds": wanted.rounds,
        "seconds": wanted.seconds,
        "connections": wanted.connections,
        "obeying": min(wanted.obeying, patients),
    }
    with _on_postgresql(here, answering) as there:
        told["sqlite"] = measure(here, "sqlite", **sizes)
        if there is not None:
            told["postgresql"] = measure(there, "postgresql", **sizes)
    measured = [told[kind]["ratios"] for kind in _DURABILITY if kind in told]
    told["ratios"] = {name: min(each[name] for each in measured) for name in measured[0]}
    return told


@contextmanager
def _on_postgresql(hospital: Hospital, cores: set[int]) -> Iterator[Hospital | None]:
    """The same hospital on a PostgreSQL server of our own; None where there can be none."""
    programs = binaries()
    if programs is None:
        _tell(f"PostgreSQL is left out: {MISSING}")
        yield None
        return
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)  # which it inherits
    with server(programs, "shared_buffers=256MB", "max_wal_size=4GB") as running:
        os.sched_setaffinity(0, everywhere)
        url = running.create()
        _tell("copying it to PostgreSQL")
        _apart(hospitals.copy, hospital.database_url, url)
        yield replace(hospital, database_url=url)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and say whether reads are fast enough."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gatekeeper", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--records", type=int, default=RECORDS, help="of all patients together")
    parser.add_argument("--seconds", type=float, default=5.0, help="of one turn of one question")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each question")
    parser.add_argument("--connections", type=int, default=64, help="that ask at the same time")
    parser.add_argument(
        "--obeying", type=int, default=20, help="revocations timed, of each kind, and emergencies"
    )
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="medaccord-gatekeeper-") as folder:
        figures = measure_all(wanted, Path(folder))
    if wanted.json:
        print(json.dumps(figures, indent=2))
    else:
        Console().print(_table(figures))
    slow = [
        kind
        for kind in _DURABILITY
        if kind in figures and figures[kind]["ratios"]["read_to_bare"] < LEAST_RATIO
    ]
    if slow:
        print(
            f"reads are below {LEAST_RATIO} of those on the bare stack on {slow}", file=sys.stderr
        )
    return 1 if slow else 0


def _table(figures: dict[str, Any]) -> Table:
    table = Table("figure", "value")
    for name, value in _flat(figures):
        table.add_row(name.replace("_", " "), str(value))
    return table


def _flat(figures: dict[str, Any], before: str = "") -> Iterator[tuple[str, object]]:
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}: ")
        else:
            yield before + name, value


def _cores() -> tuple[set[int], set[int]]:
    """Those that answer, and those that ask: the same one where there is no other."""
    every = sorted(os.sched_getaffinity(0))
    half = len(every) // 2
    return set(every[:half] or every), set(every[half:])


def _apart(work: Any, *arguments: object) -> Any:
    """Do something in a process of its own, so that what it needed of memory is given back."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


def _durability(url: str, kind: str) -> dict[str, str]:
    engine = open_engine(url)
    with reading(engine) as connection:
        told = {each: str(connection.scalar(text(each))) for each in _DURABILITY[kind]}
    engine.dispose()
    return told


def _worst(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "median_milliseconds": round(1e3 * ordered[len(ordered) // 2], 1),
        "worst_milliseconds": round(1e3 * ordered[-1], 1),
        "times": len(ordered),
    }


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
