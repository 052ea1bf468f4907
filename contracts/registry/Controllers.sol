// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NoncesKeyed} from "@openzeppelin/contracts/utils/NoncesKeyed.sol";

import {Signed} from "../base/Signed.sol";
import {IControllers} from "../interfaces/IControllers.sol";
import {NonceKeys} from "../libraries/NonceKeys.sol";
import {Powers} from "../libraries/Powers.sol";

/// @title Controllers
/// @notice Who controls an account, and its epoch. See {IControllers}.
abstract contract Controllers is IControllers, Signed, NoncesKeyed {
    /* CONSTANTS */

    bytes32 private constant ROTATION =
        keccak256("Rotation(address account,address newController,uint64 nonce,uint40 deadline)");
    bytes32 private constant REVOKE_ALL = keccak256("RevokeAll(address account,uint32 epoch)");

    /* STORAGE */

    mapping(address account => Control) private _controls;

    /* ACTIONS */

    /// @inheritdoc IControllers
    function rotate(
        address account,
        address by,
        address newController,
        uint64 nonce,
        uint40 deadline,
        bytes calldata signature
    ) external {
        _checkDeadline(deadline);
        _checkController(account, by);
        _checkSettled(account);
        if (newController == address(0)) revert ZeroController(account);
        _checkSigned(by, keccak256(abi.encode(ROTATION, account, newController, nonce, deadline)), signature);
        _useCheckedNonce(account, NonceKeys.ROTATE, nonce);

        _controls[account].controller = newController;
        emit ControllerRotated(account, newController, by);
    }

    /// @inheritdoc IControllers
    function revokeAll(address account, address by, uint32 epoch, bytes calldata signature) external {
        uint32 current = _checkAuthority(account, by, Powers.RESTRICT);
        if (epoch != current) revert WrongEpoch(account, epoch, current);
        if (signature.length == 0) _checkSender(by);
        else _checkSignature(by, keccak256(abi.encode(REVOKE_ALL, account, epoch)), signature);

        uint32 raised = epoch + 1;
        _controls[account].epoch = raised;
        emit AllRevoked(account, by, raised);
    }

    /* VIEWS */

    /// @inheritdoc IControllers
    function controllerOf(address account) public view returns (address) {
        (address controller, , ) = _control(account);
        return controller;
    }

    /// @inheritdoc IControllers
    function epochOf(address account) public view returns (uint32) {
        return _controls[account].epoch;
    }

    /* FOR THE OTHER MIXINS */

    /// @dev Refuses unless `by` may use `power` of `account`. Returns the account's epoch.
    function _checkAuthority(
        address account,
        address by,
        uint16 power
    ) internal view virtual returns (uint32 epoch);

    /// @dev Who controls an account, its own key where nobody else does.
    function _control(
        address account
    ) internal view returns (address controller, uint32 epoch, bool recovering) {
        Control storage control = _controls[account];
        (controller, epoch, recovering) = (control.controller, control.epoch, control.recovering);
        if (controller == address(0)) controller = account;
    }

    /// @dev Refuses all but the controller.
    function _checkController(address account, address by) internal view {
        if (by != controllerOf(account)) revert NotController(account, by);
    }

    /// @dev Refuses while a recovery is pending.
    function _checkSettled(address account) internal view {
        if (_isRecovering(account)) revert RecoveryPending(account);
    }

    /// @dev Refuses any epoch but the account's.
    function _checkEpoch(address account, uint32 epoch) internal view {
        uint32 current = epochOf(account);
        if (epoch != current) revert WrongEpoch(account, epoch, current);
    }

    /// @dev Whether a recovery of `account` is pending.
    function _isRecovering(address account) internal view returns (bool) {
        return _controls[account].recovering;
    }

    /// @dev Leaves the account with no more than restricting, or gives the rest back.
    function _setRecovering(address account, bool recovering) internal {
        _controls[account].recovering = recovering;
    }

    /// @dev Ends a recovery by handing the account over in a new epoch.
    function _handOver(address account, address newController) internal returns (uint32 epoch) {
        epoch = epochOf(account) + 1;
        _controls[account] = Control({controller: newController, epoch: epoch, recovering: false});
    }
}
