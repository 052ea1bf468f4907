// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Authorised} from "./base/Authorised.sol";
import {IAnchors} from "./interfaces/IAnchors.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Powers} from "./libraries/Powers.sol";

/// @title Anchors
/// @notice Append-only streams of salted commitments. See {IAnchors}.
contract Anchors is IAnchors, Authorised {
    /* CONSTANTS */

    bytes32 private constant APPEND =
        keccak256("Append(address account,bytes32 topic,bytes32 previous,bytes32 root)");

    /* STORAGE */

    mapping(address account => mapping(bytes32 topic => bytes32 head)) private _heads;

    /* CONSTRUCTOR */

    constructor(IRegistry registry) EIP712("medaccord Anchors", "1") Authorised(registry) {}

    /* APPENDING */

    /// @inheritdoc IAnchors
    function append(
        address account,
        address by,
        bytes32 topic,
        bytes32 previous,
        bytes32 root,
        bytes calldata signature
    ) external {
        bytes32 structHash = keccak256(abi.encode(APPEND, account, topic, previous, root));
        _authorise(account, by, Powers.ANCHOR, structHash, signature);
        if (root == 0) revert ZeroRoot();
        bytes32 stored = _heads[account][topic];
        if (previous != stored) revert WrongHead(previous, stored);

        bytes32 head = keccak256(abi.encode(previous, root, uint40(block.timestamp)));
        _heads[account][topic] = head;
        emit Anchored(account, topic, by, previous, root, head);
    }

    /* VIEWS */

    /// @inheritdoc IAnchors
    function headOf(address account, bytes32 topic) external view returns (bytes32) {
        return _heads[account][topic];
    }
}
