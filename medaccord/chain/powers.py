"""What a key may do for an account, and what an organisation may do at all.

Source: contracts/libraries/Powers.sol and Roles.sol.
"""

from enum import IntFlag


class Power(IntFlag):
    """What a delegate may do for an account; its controller may do all of it."""

    GRANT = 1
    """Consent, and allow emergency access again."""
    RESTRICT = 2
    """Revoke, revoke all, close and forbid emergency access."""
    RELATE = 4
    """Propose, accept, decline and end relationships."""
    ANCHOR = 8
    """Append to streams."""
    EMERGENCY = 16
    """Open emergency access."""
    GOVERN = 32
    """Vote in the consortium."""
    READ = 64
    """Sign in at gatekeepers; no contract asks for it."""
    REQUEST = 128
    """Sign requests for access; no contract asks for it."""


class Role(IntFlag):
    """What an organisation is admitted as."""

    MEMBER = 1
    """Votes in the consortium."""
    STEWARD = 2
    """Keeps records of patients."""
    EMERGENCY = 4
    """Opens emergency access, once the delay of the deployment has passed."""
