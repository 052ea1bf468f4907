// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IAuthority} from "./interfaces/IAuthority.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Powers} from "./libraries/Powers.sol";
import {Controllers} from "./registry/Controllers.sol";
import {Delegates} from "./registry/Delegates.sol";
import {Guardians} from "./registry/Guardians.sol";
import {Organisations} from "./registry/Organisations.sol";

/// @title Registry
/// @notice Who may act for an account, and which organisations belong. See {IRegistry}.
contract Registry is IRegistry, Controllers, Delegates, Guardians, Organisations {
    /* CONSTRUCTOR */

    /// @param consortium The contract that alone governs organisations, which may be deployed after this one.
    /// @param recoveryDelay How long recoveries and new guardians wait, in seconds.
    /// @param emergencyDelay How long a newly given EMERGENCY role waits, in seconds.
    constructor(
        address consortium,
        uint40 recoveryDelay,
        uint40 emergencyDelay
    ) EIP712("medaccord Registry", "1") Guardians(recoveryDelay) Organisations(consortium, emergencyDelay) {}

    /* THE HOOK */

    /// @inheritdoc IAuthority
    function isAuthorised(address account, address by, uint16 power) external view returns (bool) {
        return _authorityUntil(account, by, power) != 0;
    }

    /// @inheritdoc IAuthority
    function authority(
        address account,
        address by,
        uint16 power
    ) external view returns (uint32 epoch, uint40 until) {
        until = _authorityUntil(account, by, power);
        if (until == 0) revert NotAuthorised(account, by, power);
        epoch = epochOf(account);
    }

    /// @inheritdoc Controllers
    function _checkAuthority(address account, address by, uint16 power) internal view override {
        if (_authorityUntil(account, by, power) == 0) revert NotAuthorised(account, by, power);
    }

    /// @dev Until when `by` may use `power` of `account`, exclusive; zero when it may not now.
    function _authorityUntil(address account, address by, uint16 power) private view returns (uint40) {
        if (power == 0) return 0;
        if (_isRecovering(account) && power & ~Powers.WHILE_RECOVERING != 0) return 0;
        if (by == controllerOf(account)) return type(uint40).max;
        return _heldUntil(account, by, power, epochOf(account));
    }
}
