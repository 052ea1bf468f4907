// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAuthority} from "./IAuthority.sol";
import {IControllers} from "./IControllers.sol";
import {IDelegates} from "./IDelegates.sol";
import {IGuardians} from "./IGuardians.sol";
import {IOrganisations} from "./IOrganisations.sol";
import {ISigned} from "./ISigned.sol";

/// @title IRegistry
/// @notice Who may act for an account, and which organisations belong.
/// @dev EIP-712 domain: name "medaccord Registry", version "1". Nonces are OpenZeppelin's keyed nonces, owned by the
/// account, under the keys of {NonceKeys}; what is signed is the sequence, the low 64 bits of `nonces(account, key)`.
interface IRegistry is IAuthority, IDelegates, IGuardians, IOrganisations, IControllers, ISigned {}
