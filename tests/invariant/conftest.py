"""The profile that ``make fuzz`` asks for by name."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("fuzz")
