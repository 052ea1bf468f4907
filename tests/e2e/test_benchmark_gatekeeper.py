"""The benchmark of the gatekeeper runs from end to end; how fast it all is, no test says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.gatekeeper import BATCH
from benchmarks.postgresql import binaries

ROOT = Path(__file__).parents[2]
SIZES = {"--records": 60, "--seconds": 0.2, "--rounds": 1, "--connections": 4, "--obeying": 1}
QUESTIONS = ("health", "read", "bare", "row_alone", "search_50", "check", "batch_check")


def test_benchmark_of_the_gatekeeper_tells_every_figure_when_run_at_a_tiny_size() -> None:
    sizes = [str(part) for pair in SIZES.items() for part in pair]
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.gatekeeper", "--json", *sizes],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout, ran.stderr
    told = json.loads(ran.stdout)
    assert told["consents"] == 10 * told["patients"]
    for kind in ["sqlite", *(["postgresql"] if binaries() else [])]:
        figures = told[kind]
        for name in QUESTIONS:
            times = [figures[name][f"p{share}_milliseconds"] for share in (50, 95, 99)]
            assert figures[name]["requests_per_second"] > 0
            assert times == sorted(times)
        batch, check = (figures[each]["requests_per_second"] for each in ("batch_check", "check"))
        assert figures["ratios"]["batch_to_check"] > 0
        assert abs(figures["ratios"]["batch_to_check"] - BATCH * batch / check) < BATCH / check
        for name in ("revocation_handed_in", "revocation_mined"):
            assert figures[name]["worst_milliseconds"] >= figures[name]["median_milliseconds"] > 0
        assert all(told["ratios"][name] <= ratio for name, ratio in figures["ratios"].items())
    assert told["sqlite"]["durability"] == {"PRAGMA journal_mode": "wal", "PRAGMA synchronous": "2"}
