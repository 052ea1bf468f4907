// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {ISigned} from "../interfaces/ISigned.sol";

/// @title Signed
/// @notice Proves that a key wants an action, sent by itself or signed and relayed. See {ISigned}.
abstract contract Signed is ISigned, EIP712 {
    /// @dev Refuses unless `by` is the sender (`signature` empty) or signed `structHash` in this contract's domain.
    function _checkSigned(address by, bytes32 structHash, bytes calldata signature) internal view {
        if (signature.length == 0) _checkSender(by);
        else _checkSignature(by, structHash, signature);
    }

    /// @dev Refuses unless `by` is the sender.
    function _checkSender(address by) internal view {
        if (msg.sender != by) revert NotSender(by, msg.sender);
    }

    /// @dev Refuses unless `by` signed `structHash` in this contract's domain, whoever the sender is.
    function _checkSignature(address by, bytes32 structHash, bytes calldata signature) internal view {
        bytes32 digest = _hashTypedDataV4(structHash);
        if (!SignatureChecker.isValidSignatureNowCalldata(by, digest, signature)) {
            revert InvalidSignature(by, digest);
        }
    }

    /// @dev Refuses after `deadline`, which is the last second that still counts.
    function _checkDeadline(uint40 deadline) internal view {
        if (block.timestamp > deadline) revert DeadlinePassed(deadline);
    }
}
