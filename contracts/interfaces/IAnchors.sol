// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAuthorised} from "./IAuthorised.sol";

/// @title IAnchors
/// @notice Append-only streams of salted commitments: record pointers, audit logs. A stream belongs to one account
/// under one topic; its head is all that is stored, everything else stands in the events.
/// @dev EIP-712 domain: name "medaccord Anchors", version "1". Any account anchors, patient or organisation,
/// suspended or not: suspension stops reading, never logging.
/// Warning: nothing here knows what a root commits to. Topics and roots must be made so that they tell nothing.
interface IAnchors is IAuthorised {
    /// @notice Thrown when an append does not build on the head of its stream.
    /// @param previous The head it builds on.
    /// @param head The head of the stream.
    error WrongHead(bytes32 previous, bytes32 head);

    /// @notice Thrown when the root is zero.
    error ZeroRoot();

    /// @notice Emitted when a root was appended to a stream.
    /// @param account The owner of the stream.
    /// @param topic The stream's name.
    /// @param by The key that acted.
    /// @param previous The head before.
    /// @param root The root.
    /// @param head The head from now on.
    event Anchored(
        address indexed account,
        bytes32 indexed topic,
        address indexed by,
        bytes32 previous,
        bytes32 root,
        bytes32 head
    );

    /// @notice Appends a root, which makes the head `keccak256(abi.encode(previous, root, uint40(block.timestamp)))`.
    /// @dev Signed: `Append(address account,bytes32 topic,bytes32 previous,bytes32 root)`. A head never comes back, so
    /// `previous` serves as the nonce.
    /// Emits {Anchored}.
    /// Requirements: `by` holds ANCHOR for `account`, also while a recovery is pending; `previous` is the head; `root`
    /// is not zero.
    /// Warning: an append that was signed but never sent can be sent as long as the head is `previous`.
    /// @param account The owner of the stream.
    /// @param by Its controller or a delegate.
    /// @param topic The stream's name, pseudo-random.
    /// @param previous The head to build on; zero for the first append.
    /// @param root A Merkle root over any number of leaves.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function append(
        address account,
        address by,
        bytes32 topic,
        bytes32 previous,
        bytes32 root,
        bytes calldata signature
    ) external;

    /// @notice The head of a stream.
    /// @param account The owner of the stream.
    /// @param topic The stream's name.
    /// @return The head; zero before the first append.
    function headOf(address account, bytes32 topic) external view returns (bytes32);
}
