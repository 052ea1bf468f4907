// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Authorised} from "./base/Authorised.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Powers} from "./libraries/Powers.sol";
import {Roles} from "./libraries/Roles.sol";

/// @title Consortium
/// @notice The members decide, by strict majority, who belongs to the Registry. See {IConsortium}.
contract Consortium is IConsortium, Authorised {
    /* CONSTANTS */

    bytes32 private constant APPROVAL =
        keccak256(
            "Approval(address member,uint8 kind,address account,uint32 roles,bytes32 key,bytes32 profile,uint256 nonce,uint40 deadline)"
        );
    bytes32 private constant WITHDRAWAL = keccak256("Withdrawal(address member,bytes32 motionId)");

    /* STORAGE */

    /// @inheritdoc IConsortium
    mapping(bytes32 id => mapping(address member => Vote)) public voteOf;

    /// @inheritdoc IConsortium
    mapping(bytes32 id => bool) public isExecuted;

    /* CONSTRUCTOR */

    /// @notice Admits the founding member, alone and at once; from then on the members decide.
    /// @param registry The Registry, deployed before with this contract's address.
    /// @param founder The account of the founding organisation.
    /// @param by Its controller.
    /// @param roles Its roles, as a mask of {Roles}, MEMBER among them.
    /// @param key Its X25519 public key.
    /// @param profile The hash of its profile document.
    /// @param deadline The last second, in Unix time, at which `signature` may be handed in.
    /// @param signature The signature of `by` over the founder's publication.
    constructor(
        IRegistry registry,
        address founder,
        address by,
        uint32 roles,
        bytes32 key,
        bytes32 profile,
        uint40 deadline,
        bytes memory signature
    ) EIP712("medaccord Consortium", "1") Authorised(registry) {
        address consortium = registry.CONSORTIUM();
        if (consortium != address(this)) revert WrongConsortium(consortium);
        if (roles & Roles.MEMBER == 0) revert NotMember(founder);
        registry.admit(founder, by, roles, key, profile, deadline, signature);
    }

    /* VOTING */

    /// @inheritdoc IConsortium
    function approve(Motion calldata motion, address member, address by, bytes calldata signature) external {
        bytes32 id = _checkOpen(motion);
        if (!REGISTRY.hasRole(member, Roles.MEMBER)) revert NotMember(member);
        Vote vote = voteOf[id][member];
        if (vote != Vote.NONE) revert VoteCast(id, member, vote);
        _authorise(member, by, Powers.GOVERN, keccak256(abi.encode(APPROVAL, member, motion)), signature);

        voteOf[id][member] = Vote.APPROVED;
        emit MotionApproved(
            id,
            member,
            by,
            motion.kind,
            motion.account,
            motion.roles,
            motion.key,
            motion.profile,
            motion.nonce,
            motion.deadline
        );
    }

    /// @inheritdoc IConsortium
    function withdraw(bytes32 id, address member, address by, bytes calldata signature) external {
        Vote vote = voteOf[id][member];
        if (vote == Vote.WITHDRAWN) revert VoteCast(id, member, vote);
        _authorise(member, by, Powers.GOVERN, keccak256(abi.encode(WITHDRAWAL, member, id)), signature);

        voteOf[id][member] = Vote.WITHDRAWN;
        emit ApprovalWithdrawn(id, member, by);
    }

    /* EXECUTION */

    /// @inheritdoc IConsortium
    function execute(
        Motion calldata motion,
        address[] calldata approvers,
        address by,
        bytes calldata signature
    ) external {
        bytes32 id = _checkOpen(motion);
        uint256 approvals = _countApprovals(id, approvers);
        uint256 members = REGISTRY.activeMembers();
        if (approvals * 2 <= members) revert NoMajority(id, approvals, members);

        isExecuted[id] = true;
        emit MotionExecuted(id, msg.sender, approvals);

        if (motion.kind == Kind.ADMIT) {
            REGISTRY.admit(
                motion.account,
                by,
                motion.roles,
                motion.key,
                motion.profile,
                motion.deadline,
                signature
            );
            return;
        }
        if (by != address(0) || signature.length != 0) revert UnexpectedSignature();
        if (motion.kind == Kind.SUSPEND) REGISTRY.suspend(motion.account);
        else if (motion.kind == Kind.REINSTATE) REGISTRY.reinstate(motion.account);
        else REGISTRY.setRoles(motion.account, motion.roles);
    }

    /* VIEWS */

    /// @inheritdoc IConsortium
    function motionId(Motion calldata motion) public pure returns (bytes32) {
        return keccak256(abi.encode(motion));
    }

    /* INTERNAL */

    /// @dev Refuses a motion whose time is over or that was executed.
    function _checkOpen(Motion calldata motion) private view returns (bytes32 id) {
        _checkDeadline(motion.deadline);
        id = motionId(motion);
        if (isExecuted[id]) revert MotionExecutedAlready(id);
    }

    /// @dev How many of `approvers` are active members now. Refuses one out of order, twice, or without approval.
    function _countApprovals(bytes32 id, address[] calldata approvers) private view returns (uint256 approvals) {
        address previous = address(0);
        for (uint256 i = 0; i < approvers.length; ++i) {
            address approver = approvers[i];
            if (approver <= previous) revert ApproversOutOfOrder(previous, approver);
            if (voteOf[id][approver] != Vote.APPROVED) revert NotApproved(id, approver);
            if (REGISTRY.hasRole(approver, Roles.MEMBER)) ++approvals;
            previous = approver;
        }
    }
}
