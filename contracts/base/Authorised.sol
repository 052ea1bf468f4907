// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAuthorised} from "../interfaces/IAuthorised.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {Signed} from "./Signed.sol";

/// @title Authorised
/// @notice Lets an action pass only for a key that the Registry says may act, and that wants it. See {IAuthorised}.
abstract contract Authorised is IAuthorised, Signed {
    /// @inheritdoc IAuthorised
    IRegistry public immutable REGISTRY;

    constructor(IRegistry registry) {
        REGISTRY = registry;
    }

    /// @dev Refuses unless `by` may use `power` of `account` and sent or signed `structHash`.
    /// @return epoch The account's epoch.
    /// @return until The end of the delegation, exclusive; the largest `uint40` for the controller.
    function _authorise(
        address account,
        address by,
        uint16 power,
        bytes32 structHash,
        bytes calldata signature
    ) internal view returns (uint32 epoch, uint40 until) {
        (epoch, until) = REGISTRY.authority(account, by, power);
        _checkSigned(by, structHash, signature);
    }
}
