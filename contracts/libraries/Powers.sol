// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Powers
/// @notice What a delegate may be allowed to do for an account: bits of a mask, one a power. The controller holds all.
library Powers {
    /// @notice Grant consents, lift the patient's own bars on emergency access.
    uint16 internal constant GRANT = 1;

    /// @notice Revoke one consent or all, close and forbid emergency access.
    uint16 internal constant RESTRICT = 2;

    /// @notice Propose, accept, decline and end relationships.
    uint16 internal constant RELATE = 4;

    /// @notice Append to streams of anchors.
    uint16 internal constant ANCHOR = 8;

    /// @notice Open emergency access for an organisation.
    uint16 internal constant EMERGENCY = 16;

    /// @notice Approve motions of the consortium and withdraw approvals.
    uint16 internal constant GOVERN = 32;

    /// @notice Sign in at gatekeepers and read there. Checked off chain only.
    uint16 internal constant READ = 64;

    /// @notice Sign requests for access. Checked off chain only.
    uint16 internal constant REQUEST = 128;

    /// @notice The powers that last through a pending recovery: they give nobody access.
    uint16 internal constant WHILE_RECOVERING = RESTRICT | ANCHOR;
}
