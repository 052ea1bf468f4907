// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Serials} from "../base/Serials.sol";
import {IDelegates} from "../interfaces/IDelegates.sol";
import {Controllers} from "./Controllers.sol";

/// @title Delegates
/// @notice Keys that may use some powers of an account until a date. See {IDelegates}.
abstract contract Delegates is IDelegates, Controllers, Serials {
    /// @dev The last delegation of a pair, in one slot.
    /// @param powers The mask of {Powers}; zero when removed.
    /// @param until The end in Unix time, exclusive.
    /// @param epoch The account's epoch in which it counts.
    /// @param serial The highest the pair has seen.
    struct Held {
        uint16 powers;
        uint40 until;
        uint32 epoch;
        uint64 serial;
    }

    /* CONSTANTS */

    bytes32 private constant DELEGATION =
        keccak256(
            "Delegation(address account,address delegate,uint16 powers,uint40 until,uint32 epoch,uint64 serial,uint40 deadline)"
        );
    bytes32 private constant UNDELEGATION =
        keccak256("Undelegation(address account,address delegate,uint64 serial)");

    /* STORAGE */

    mapping(address account => mapping(address by => Held)) private _held;

    /* ACTIONS */

    /// @inheritdoc IDelegates
    function delegate(Delegation calldata delegation, address by, bytes calldata signature) external {
        address account = delegation.account;
        _checkDeadline(delegation.deadline);
        _checkController(account, by);
        _checkSettled(account);
        _checkEpoch(account, delegation.epoch);
        _checkDelegation(delegation);
        _checkSigned(by, keccak256(abi.encode(DELEGATION, delegation)), signature);

        _held[account][delegation.delegate] = Held({
            powers: delegation.powers,
            until: delegation.until,
            epoch: delegation.epoch,
            serial: delegation.serial
        });
        emit DelegateSet(
            account,
            delegation.delegate,
            by,
            delegation.powers,
            delegation.until,
            delegation.epoch,
            delegation.serial
        );
    }

    /// @inheritdoc IDelegates
    function undelegate(
        address account,
        address by,
        address delegatee,
        uint64 serial,
        bytes calldata signature
    ) external {
        _checkController(account, by);
        uint64 stored = _held[account][delegatee].serial;
        _checkRestricting(serial, stored);
        _checkSigned(by, keccak256(abi.encode(UNDELEGATION, account, delegatee, serial)), signature);

        _held[account][delegatee] = Held({powers: 0, until: 0, epoch: 0, serial: serial});
        emit DelegateRemoved(account, delegatee, by, serial);
    }

    /* VIEWS */

    /// @inheritdoc IDelegates
    function delegationOf(
        address account,
        address delegatee
    ) external view returns (uint16 powers, uint40 until, uint32 epoch, uint64 serial) {
        Held storage held = _held[account][delegatee];
        return (held.powers, held.until, held.epoch, held.serial);
    }

    /// @dev Until when `by` holds every bit of `power` in `epoch`, exclusive; zero when it does not now.
    function _heldUntil(address account, address by, uint16 power, uint32 epoch) internal view returns (uint40) {
        Held memory held = _held[account][by];
        bool holds = held.epoch == epoch && block.timestamp < held.until && held.powers & power == power;
        return holds ? held.until : 0;
    }

    /* CHECKS */

    /// @dev What is asked of a delegation beside who gives it.
    function _checkDelegation(Delegation calldata delegation) private view {
        address delegatee = delegation.delegate;
        if (delegation.powers == 0 || delegatee == address(0) || delegatee == delegation.account) {
            revert InvalidDelegation(delegatee, delegation.powers);
        }
        if (block.timestamp >= delegation.until) revert DelegationEnded(delegation.until);
        uint64 stored = _held[delegation.account][delegatee].serial;
        _checkPermitting(delegation.serial, stored);
    }
}
