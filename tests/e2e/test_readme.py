"""The example in the README runs as it stands there, and does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medaccord.demo import sample_bundle
from tests.e2e.test_bundles import is_laboratory, resources

README = Path(__file__).parents[2] / "README.md"
LONGEST = 45


def example() -> str:
    found = re.search(
        r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert found is not None
    return found[1]


def test_example_is_short() -> None:
    assert len(example().splitlines()) <= LONGEST


def test_example_runs_and_tells_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(example(), str(README), "exec"), {"__name__": "readme"})
    asked, *names, refused, log = capsys.readouterr().out.splitlines()
    assert asked.startswith("“Hospital B” asks to read ")
    held = [resource["id"] for resource in resources(sample_bundle()) if is_laboratory(resource)]
    assert sorted(names) == sorted(f"Observation/{identity}" for identity in held)
    assert refused.startswith("consent-revoked: ")
    assert log == str([("search", "released", "TREAT"), ("search", "refused", "consent-revoked")])
