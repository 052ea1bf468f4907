"""Powers of delegates and roles of organisations, as the contracts number them."""

from __future__ import annotations

from typing import Final

GRANT: Final = 1
RESTRICT: Final = 2
RELATE: Final = 4
ANCHOR: Final = 8
EMERGENCY: Final = 16
GOVERN: Final = 32
READ: Final = 64
REQUEST: Final = 128
POWERS: Final = (GRANT, RESTRICT, RELATE, ANCHOR, EMERGENCY, GOVERN, READ, REQUEST)

MEMBER: Final = 1
STEWARD: Final = 2
EMERGENCY_ROLE: Final = 4
