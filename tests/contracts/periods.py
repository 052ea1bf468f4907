"""The periods that the contracts under test were deployed with, in seconds."""

from __future__ import annotations

from typing import Final

DAY: Final = 86_400
RECOVERY_DELAY: Final = 3 * DAY
EMERGENCY_DELAY: Final = 2 * DAY
MAX_SPAN: Final = 2 * 365 * DAY
MAX_EMERGENCY: Final = DAY

FOREVER: Final = 2**40 - 1
"""A deadline that never passes: the last second a contract can name."""
