// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ISerials} from "./ISerials.sol";

/// @title IDelegates
/// @notice Keys that may use some powers of an account until a date: a parent, a carer, a hospital's server.
/// @dev Only the controller names and removes delegates; a delegate cannot delegate on.
interface IDelegates is ISerials {
    /// @notice What the controller signs to name a delegate.
    /// @param account The account whose powers are shared.
    /// @param delegate The key that may use them.
    /// @param powers Which, as a mask of {Powers}.
    /// @param until The end of the delegation in Unix time, exclusive.
    /// @param epoch The account's epoch; the delegation dies with it.
    /// @param serial Orders the delegations of this pair: the highest counts.
    /// @param deadline The last second, in Unix time, at which this may be handed in.
    struct Delegation {
        address account;
        address delegate;
        uint16 powers;
        uint40 until;
        uint32 epoch;
        uint64 serial;
        uint40 deadline;
    }

    /// @notice Thrown when a delegation would have ended before it began.
    /// @param until The end named, exclusive, in Unix time.
    error DelegationEnded(uint40 until);

    /// @notice Thrown when a delegation gives no power, or names nobody or the account itself.
    /// @param delegate The key named.
    /// @param powers The powers named.
    error InvalidDelegation(address delegate, uint16 powers);

    /// @notice Emitted when a key was given powers of an account, in place of those it had.
    /// @param account The account.
    /// @param delegate The key.
    /// @param by The controller.
    /// @param powers Its powers from now on, as a mask of {Powers}.
    /// @param until Their end, exclusive, in Unix time.
    /// @param epoch The epoch in which they count.
    /// @param serial The serial of the delegation.
    event DelegateSet(
        address indexed account,
        address indexed delegate,
        address indexed by,
        uint16 powers,
        uint40 until,
        uint32 epoch,
        uint64 serial
    );

    /// @notice Emitted when a key was stripped of its powers of an account.
    /// @param account The account.
    /// @param delegate The key.
    /// @param by The controller.
    /// @param serial Every delegation of this pair up to this serial is dead, sent or not.
    event DelegateRemoved(address indexed account, address indexed delegate, address indexed by, uint64 serial);

    /// @notice Gives a key powers of an account until a date.
    /// @dev Signed: `Delegation(address account,address delegate,uint16 powers,uint40 until,uint32 epoch,uint64 serial,
    /// uint40 deadline)`, without the line break.
    /// Emits {DelegateSet}.
    /// Requirements: `by` is the controller; no recovery is pending; the epoch is the account's; the serial is higher
    /// than any the pair has seen; the end lies ahead; there is a power and a delegate, and it is not the account
    /// itself; the deadline has not passed.
    /// @param delegation What is given.
    /// @param by The account's controller.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function delegate(Delegation calldata delegation, address by, bytes calldata signature) external;

    /// @notice Strips a key of its powers of an account, and of every delegation up to `serial` that was signed but
    /// never handed in.
    /// @dev Signed: `Undelegation(address account,address delegate,uint64 serial)`.
    /// Emits {DelegateRemoved}.
    /// Requirements: `by` is the controller, also while a recovery is pending; `serial` is not below the highest of the
    /// pair. Handing the same in twice changes nothing.
    /// @param account The account.
    /// @param by Its controller.
    /// @param delegatee The key to strip; `delegate` in what is signed.
    /// @param serial The serial up to which delegations die.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function undelegate(
        address account,
        address by,
        address delegatee,
        uint64 serial,
        bytes calldata signature
    ) external;

    /// @notice The last delegation of a pair, in force or not.
    /// @dev Warning: it counts only in its epoch, before its end, and without a pending recovery; ask
    /// {IAuthority-isAuthorised}.
    /// @param account The account.
    /// @param delegatee The key.
    /// @return powers Its powers, as a mask of {Powers}; zero when it was removed.
    /// @return until Their end, exclusive, in Unix time.
    /// @return epoch The epoch in which they count.
    /// @return serial The highest serial of the pair.
    function delegationOf(
        address account,
        address delegatee
    ) external view returns (uint16 powers, uint40 until, uint32 epoch, uint64 serial);
}
