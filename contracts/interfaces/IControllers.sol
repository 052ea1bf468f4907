// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title IControllers
/// @notice The key that acts for an account, and the counter that ends everything made before it.
/// @dev An account registers nothing: its own key controls it until it is rotated.
interface IControllers {
    /// @notice Who controls an account, in one slot.
    /// @param controller The key that acts for the account; zero stands for the account's own key.
    /// @param epoch How often everything was revoked; consents and delegations of another epoch are dead.
    /// @param recovering Whether a recovery is pending.
    struct Control {
        address controller;
        uint32 epoch;
        bool recovering;
    }

    /// @notice Thrown when `by` is not the controller of `account`, for what no delegate may do.
    /// @param account The account to act for.
    /// @param by The key that would act.
    error NotController(address account, address by);

    /// @notice Thrown when an account would be left to the zero address.
    /// @param account The account.
    error ZeroController(address account);

    /// @notice Thrown when something other than restricting is attempted while a recovery is pending.
    /// @param account The account that is being recovered.
    error RecoveryPending(address account);

    /// @notice Thrown when an action names an epoch that is not the account's.
    /// @param account The account.
    /// @param epoch The epoch named.
    /// @param current The account's epoch.
    error WrongEpoch(address account, uint32 epoch, uint32 current);

    /// @notice Emitted when an account was handed to another key.
    /// @param account The account.
    /// @param newController The key that acts for it from now on.
    /// @param by The controller until now.
    event ControllerRotated(address indexed account, address indexed newController, address indexed by);

    /// @notice Emitted when every consent and delegation of an account was ended.
    /// @param account The account.
    /// @param by The key that acted.
    /// @param epoch The account's new epoch.
    event AllRevoked(address indexed account, address indexed by, uint32 epoch);

    /// @notice Hands `account` to `newController`.
    /// @dev Signed: `Rotation(address account,address newController,uint64 nonce,uint40 deadline)`.
    /// Emits {ControllerRotated}.
    /// Requirements: `by` is the controller; no recovery is pending; `newController` is not zero; `nonce` is the next
    /// under the key ROTATE; the deadline has not passed.
    /// Warning: delegates, guardians, consents and the epoch stay as they are. Whoever rotates because a key leaked
    /// should revoke all as well. A `newController` that nobody holds leaves only the guardians.
    /// @param account The account.
    /// @param by Its controller.
    /// @param newController The key or ERC-1271 wallet to hand it to.
    /// @param nonce The next nonce of the account under the key ROTATE, without its key.
    /// @param deadline The last second at which this may happen, in Unix time.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function rotate(
        address account,
        address by,
        address newController,
        uint64 nonce,
        uint40 deadline,
        bytes calldata signature
    ) external;

    /// @notice Ends every consent, delegation and open emergency access of `account` by raising its epoch.
    /// @dev Signed: `RevokeAll(address account,uint32 epoch)`.
    /// Emits {AllRevoked}.
    /// Requirements: `by` holds RESTRICT, also while a recovery is pending; `epoch` is the account's.
    /// Warning: a delegate that revokes all ends its own delegation too.
    /// @param account The account.
    /// @param by Its controller or a delegate.
    /// @param epoch The epoch to end, so that the signature works once.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function revokeAll(address account, address by, uint32 epoch, bytes calldata signature) external;

    /// @notice The key that acts for `account` now.
    /// @param account Any address.
    /// @return The controller: the account itself until it was rotated or recovered.
    function controllerOf(address account) external view returns (address);

    /// @notice The epoch of `account`.
    /// @param account Any address.
    /// @return The epoch, from zero.
    function epochOf(address account) external view returns (uint32);
}
