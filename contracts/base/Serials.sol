// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ISerials} from "../interfaces/ISerials.sol";

/// @title Serials
/// @notice Orders what permits and what restricts one thing. See {ISerials}.
abstract contract Serials is ISerials {
    uint64 private constant MAX_STEP = type(uint32).max;

    /// @dev Refuses a serial under which something cannot be restricted after `stored`.
    function _checkRestricting(uint64 serial, uint64 stored) internal pure {
        if (serial < stored) revert StaleSerial(serial, stored);
        if (serial - stored > MAX_STEP) revert SerialTooFar(serial, stored + MAX_STEP);
    }

    /// @dev Refuses a serial under which something cannot be permitted after `stored`.
    function _checkPermitting(uint64 serial, uint64 stored) internal pure {
        if (serial == stored) revert StaleSerial(serial, stored);
        _checkRestricting(serial, stored);
    }
}
