// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title ISigned
/// @notice How every action of an account is proven: `by` sends it with an empty `signature`, or anybody sends it with
/// an EIP-712 signature of `by` over the same typed struct, in the domain of the contract it is for.
/// @dev Warning: an address with code, a delegated EOA (EIP-7702) among them, is asked through ERC-1271 alone; its
/// answer can change with time.
interface ISigned {
    /// @notice Thrown when `signature` is empty and the sender is not `by`.
    /// @param by The key that the action names.
    /// @param sender The sender of the call.
    error NotSender(address by, address sender);

    /// @notice Thrown when a signature is not that of `by`: another's, malleable (high s), of a length other than 65
    /// bytes for an address without code, or for another function, contract or chain.
    /// @param by The key that the action names.
    /// @param digest The EIP-712 digest that `by` should have signed.
    error InvalidSignature(address by, bytes32 digest);

    /// @notice Thrown when an action comes after its deadline, sent directly or relayed.
    /// @param deadline The last second at which the action was possible.
    error DeadlinePassed(uint40 deadline);
}
