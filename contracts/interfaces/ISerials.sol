// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title ISerials
/// @notice Numbers under which one thing is permitted and restricted in turn, so that nothing held back stops a
/// restriction: what restricts need only reach the highest number seen, what permits must go beyond it.
/// @dev Warning: each number is at most 2^32 - 1 above the one before, so that nobody can use them up: neither a
/// delegate nor a thief of the key leaves a restriction that can never be lifted.
interface ISerials {
    /// @notice Thrown when a serial is below (to permit: does not go beyond) what was seen before.
    /// @param serial The serial handed in.
    /// @param stored The highest serial so far.
    error StaleSerial(uint64 serial, uint64 stored);

    /// @notice Thrown when a serial runs too far ahead of what was seen before.
    /// @param serial The serial handed in.
    /// @param latest The highest that can be handed in now.
    error SerialTooFar(uint64 serial, uint64 latest);
}
