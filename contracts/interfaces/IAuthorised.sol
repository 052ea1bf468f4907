// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry} from "./IRegistry.sol";
import {ISigned} from "./ISigned.sol";

/// @title IAuthorised
/// @notice A contract that takes actions of accounts and lets the Registry say who may act for them.
interface IAuthorised is ISigned {
    /// @notice The Registry that this contract asks, fixed at deployment.
    /// @return The Registry.
    function REGISTRY() external view returns (IRegistry);
}
