"""What a benchmark tells of memory is of its own process alone."""

import subprocess
import sys

from benchmarks.memory import peak_bytes

MIB = 2**20


def test_peak_counts_what_was_held_once() -> None:
    size = len(b"\x01" * (128 * MIB))
    assert peak_bytes() >= size


def test_peak_of_a_process_leaves_out_what_its_parent_holds() -> None:
    held = b"\x01" * (128 * MIB)
    told = subprocess.run(
        [sys.executable, "-c", "from benchmarks.memory import peak_bytes; print(peak_bytes())"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert 0 < int(told.stdout) < len(held)
