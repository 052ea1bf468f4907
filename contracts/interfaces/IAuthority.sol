// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title IAuthority
/// @notice The one question every contract asks: may this key act for that account?
/// @dev A key may when it is the account's controller, or a delegate of the account's current epoch that holds every
/// bit of `power`, before the end of its delegation. While a recovery is pending, only the powers RESTRICT and ANCHOR
/// are left to either, and the key that the account will be handed to holds RESTRICT already: whoever stole the key must
/// not be the only one who can revoke.
/// Warning: a delegate is taken as the address it is; what controls that address in turn is never looked up.
interface IAuthority {
    /// @notice Thrown when `by` may not use `power` of `account`.
    /// @param account The account to act for.
    /// @param by The key that would act.
    /// @param power The powers asked for, as a mask of {Powers}.
    error NotAuthorised(address account, address by, uint16 power);

    /// @notice Whether `by` may use `power` of `account` now.
    /// @param account The account to act for.
    /// @param by The key that would act.
    /// @param power The powers asked for, as a mask of {Powers}: all of them are needed; zero is held by nobody.
    /// @return Whether it may.
    function isAuthorised(address account, address by, uint16 power) external view returns (bool);

    /// @notice Refuses unless `by` may use `power` of `account` now.
    /// @dev Requirements: as {isAuthorised}, else {NotAuthorised}.
    /// @param account The account to act for.
    /// @param by The key that would act.
    /// @param power The powers asked for, as a mask of {Powers}.
    /// @return epoch The account's epoch.
    /// @return until The end of the delegation in seconds since the epoch of Unix time, exclusive; the largest `uint40`
    /// when `by` is the controller.
    function authority(
        address account,
        address by,
        uint16 power
    ) external view returns (uint32 epoch, uint40 until);
}
