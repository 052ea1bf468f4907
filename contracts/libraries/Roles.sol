// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Roles
/// @notice What the consortium admitted an organisation for: bits of a mask, one a role. Other bits are free.
library Roles {
    /// @notice Governs the consortium together with the other members.
    uint32 internal constant MEMBER = 1;

    /// @notice Keeps records for patients.
    uint32 internal constant STEWARD = 2;

    /// @notice May open emergency access for itself, once the delay has run.
    uint32 internal constant EMERGENCY = 4;
}
