"""The ledger's benchmark runs, over a hundredth of everything, and gives every figure."""

from __future__ import annotations

from pathlib import Path

from benchmarks.ledger import measure


def test_benchmark_gives_every_figure_when_it_is_run_small(tmp_path: Path) -> None:
    figures = measure(0.01, tmp_path)
    assert figures.keys() == {
        "events",
        "sync_events_per_second",
        "rebuild_seconds",
        "resume_seconds",
        "decisions_per_second_50",
        "decisions_per_second_1000",
        "decisions_per_second_10000",
        "decisions_ratio",
        "peak_memory_mib",
    }
    assert figures["events"] >= 1_000
    assert min(figures.values()) > 0
