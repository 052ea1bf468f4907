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
        (, uint40 until) = _authority(account, by, power);
        return until != 0;
    }

    /// @inheritdoc IAuthority
    function authority(
        address account,
        address by,
        uint16 power
    ) public view returns (uint32 epoch, uint40 until) {
        (epoch, until) = _authority(account, by, power);
        if (until == 0) revert NotAuthorised(account, by, power);
    }

    /// @inheritdoc Controllers
    function _checkAuthority(
        address account,
        address by,
        uint16 power
    ) internal view override returns (uint32 epoch) {
        (epoch, ) = authority(account, by, power);
    }

    /// @dev The account's epoch, and until when `by` may use `power`, exclusive; zero when it may not now.
    function _authority(
        address account,
        address by,
        uint16 power
    ) private view returns (uint32 epoch, uint40 until) {
        address controller;
        bool recovering;
        (controller, epoch, recovering) = _control(account);
        if (power == 0) return (epoch, 0);
        if (recovering) {
            if (power & ~Powers.WHILE_RECOVERING != 0) return (epoch, 0);
            if (power == Powers.RESTRICT && by == _incomingController(account)) return (epoch, type(uint40).max);
        }
        if (by == controller) return (epoch, type(uint40).max);
        until = _heldUntil(account, by, power, epoch);
    }
}
