"""The example in the README runs as it stands there, and does what it says."""

from __future__ import annotations

from pathlib import Path

from medaccord.demo import sample_bundle
from tests.e2e.pages import ROOT, Block, Reader, blocks_of
from tests.e2e.test_bundles import is_laboratory, resources

README = ROOT / "README.md"
LONGEST = 45


def example() -> Block:
    (found,) = [each for each in blocks_of(README) if each.language == "python"]
    return found


def test_example_is_short() -> None:
    assert len(example().text.splitlines()) <= LONGEST


def test_example_runs_and_tells_what_happened(tmp_path: Path) -> None:
    (said,) = Reader(folder=tmp_path).run([example()])
    asked, *names, refused, log = said.splitlines()
    assert asked.startswith("“Hospital B” asks to read ")
    held = [resource["id"] for resource in resources(sample_bundle()) if is_laboratory(resource)]
    assert sorted(names) == sorted(f"Observation/{identity}" for identity in held)
    assert refused.startswith("consent-revoked: ")
    assert log == str([("search", "released", "TREAT"), ("search", "refused", "consent-revoked")])
