"""Where the Synthea bundles lie: real enough to be long, invented enough to be shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SYNTHEA = Path(
    os.environ.get("MEDACCORD_SYNTHEA")
    or Path(__file__).parents[2] / "shared" / "data" / "synthea-r4"
)
BUNDLES = sorted(SYNTHEA.glob("*.json"))

ABSENT = "the Synthea bundles are not beside the checkout, and MEDACCORD_SYNTHEA names no folder"

needs_bundles = pytest.mark.skipif(not BUNDLES, reason=ABSENT)
"""Skips a test that looks at all of them."""

each_bundle = pytest.mark.parametrize(
    "file",
    [pytest.param(file, id=file.stem[:8]) for file in BUNDLES]
    or [pytest.param(None, id="none", marks=pytest.mark.skip(reason=ABSENT))],
)
"""Runs a test once for each bundle, as `file`."""
