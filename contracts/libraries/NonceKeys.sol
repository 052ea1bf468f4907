// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title NonceKeys
/// @notice The sequences of nonces that the Registry keeps for each account, apart from each other, so that no action
/// can hold up another.
library NonceKeys {
    /// @notice Rotations of the controller.
    uint192 internal constant ROTATE = 1;

    /// @notice Changes of the guardians.
    uint192 internal constant GUARDIANS = 2;

    /// @notice Recoveries started.
    uint192 internal constant RECOVERY = 3;

    /// @notice Publications of an organisation's key and profile, the one at its admission included.
    uint192 internal constant PUBLISH = 4;
}
