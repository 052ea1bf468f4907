// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAuthorised} from "./IAuthorised.sol";

/// @title IConsortium
/// @notice The member organisations govern who belongs to the Registry, by strict majority, and nothing else.
/// @dev EIP-712 domain: name "medaccord Consortium", version "1". A motion says in typed fields what it does; there is
/// no call data. Members are the active organisations with the role MEMBER.
/// Warning: an approval that was given stands until it is withdrawn or the motion's deadline passes, also when the
/// member's controller or epoch changes meanwhile. A member that recovered its account should look through its votes.
interface IConsortium is IAuthorised {
    /// @notice What a motion does.
    enum Kind {
        ADMIT,
        SUSPEND,
        REINSTATE,
        SET_ROLES
    }

    /// @notice Where one member stands on one motion. A withdrawal is final.
    enum Vote {
        NONE,
        APPROVED,
        WITHDRAWN
    }

    /// @notice What members approve. Its id is `keccak256(abi.encode(motion))`.
    /// @param kind What to do.
    /// @param account The organisation it is done to.
    /// @param roles To admit or set roles: the roles, as a mask of {Roles}; else without effect.
    /// @param key To admit: the organisation's X25519 public key; else without effect.
    /// @param profile To admit: the hash of the organisation's profile document; else without effect.
    /// @param nonce Any number, so that the same can be moved again.
    /// @param deadline The last second, in Unix time, for approvals, execution and the organisation's publication.
    struct Motion {
        Kind kind;
        address account;
        uint32 roles;
        bytes32 key;
        bytes32 profile;
        uint256 nonce;
        uint40 deadline;
    }

    /// @notice Thrown at deployment when the Registry obeys another consortium.
    /// @param consortium The one it obeys.
    error WrongConsortium(address consortium);

    /// @notice Thrown when one who is not an active member would approve, or the founder would not be a member.
    /// @param member The account.
    error NotMember(address member);

    /// @notice Thrown when a motion was executed before.
    /// @param motionId The motion.
    error MotionExecutedAlready(bytes32 motionId);

    /// @notice Thrown when the member's vote no longer allows it.
    /// @param motionId The motion.
    /// @param member The member.
    /// @param vote Its vote.
    error VoteCast(bytes32 motionId, address member, Vote vote);

    /// @notice Thrown when approvers are not in strictly ascending order.
    /// @param previous The approver before.
    /// @param next The approver out of order.
    error ApproversOutOfOrder(address previous, address next);

    /// @notice Thrown when one handed in as an approver has not approved or has withdrawn.
    /// @param motionId The motion.
    /// @param member The account.
    error NotApproved(bytes32 motionId, address member);

    /// @notice Thrown when the approvers who are active members now are not more than half of these.
    /// @param motionId The motion.
    /// @param approvals How many of them are active members.
    /// @param members How many active members there are.
    error NoMajority(bytes32 motionId, uint256 approvals, uint256 members);

    /// @notice Thrown when a signer or signature comes with a motion that needs none.
    error UnexpectedSignature();

    /// @notice Emitted when a member approved a motion.
    /// @param motionId The motion.
    /// @param member The member.
    /// @param by The key that acted.
    /// @param kind What the motion does.
    /// @param account The organisation it is done to.
    /// @param roles Its roles, as a mask of {Roles}.
    /// @param key Its X25519 public key.
    /// @param profile The hash of its profile document.
    /// @param nonce The motion's nonce.
    /// @param deadline The motion's deadline, in Unix time.
    event MotionApproved(
        bytes32 indexed motionId,
        address indexed member,
        address indexed by,
        Kind kind,
        address account,
        uint32 roles,
        bytes32 key,
        bytes32 profile,
        uint256 nonce,
        uint40 deadline
    );

    /// @notice Emitted when a member withdrew its approval, given or not.
    /// @param motionId The motion.
    /// @param member The member.
    /// @param by The key that acted.
    event ApprovalWithdrawn(bytes32 indexed motionId, address indexed member, address indexed by);

    /// @notice Emitted when a motion was carried out.
    /// @param motionId The motion.
    /// @param executor Who sent it.
    /// @param approvals How many active members had approved.
    event MotionExecuted(bytes32 indexed motionId, address indexed executor, uint256 approvals);

    /// @notice Approves a motion for a member.
    /// @dev Signed: `Approval(address member,uint8 kind,address account,uint32 roles,bytes32 key,bytes32 profile,
    /// uint256 nonce,uint40 deadline)`, without the line break.
    /// Emits {MotionApproved}.
    /// Requirements: the deadline has not passed; the motion was not executed; `member` is an active member that has
    /// neither approved nor withdrawn; `by` holds its power GOVERN.
    /// @param motion The motion.
    /// @param member The member.
    /// @param by Its controller or a delegate.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function approve(Motion calldata motion, address member, address by, bytes calldata signature) external;

    /// @notice Withdraws a member's approval for good, also before it arrived.
    /// @dev Signed: `Withdrawal(address member,bytes32 motionId)`.
    /// Emits {ApprovalWithdrawn}.
    /// Requirements: `by` holds the power GOVERN of `member`; the member has not withdrawn before.
    /// @param motionId The motion.
    /// @param member The member, active or not.
    /// @param by Its controller or a delegate.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function withdraw(bytes32 motionId, address member, address by, bytes calldata signature) external;

    /// @notice Carries out a motion that a strict majority of the active members approved. Anybody may send it.
    /// @dev Emits {MotionExecuted}, and the Registry's event of what was done.
    /// Requirements: the deadline has not passed; the motion was not executed; the approvers are in strictly ascending
    /// order and have all approved; those who are active members now are more than half of all. To admit: the
    /// Registry's requirements of {IOrganisations-admit}. Else: `by` is zero and `signature` empty.
    /// @param motion The motion.
    /// @param approvers The accounts that approved.
    /// @param by To admit: the controller of the organisation.
    /// @param signature To admit: its signature of the publication, with the motion's deadline.
    function execute(
        Motion calldata motion,
        address[] calldata approvers,
        address by,
        bytes calldata signature
    ) external;

    /// @notice The id of a motion.
    /// @param motion The motion.
    /// @return Its id.
    function motionId(Motion calldata motion) external pure returns (bytes32);

    /// @notice Where a member stands on a motion.
    /// @param id The motion.
    /// @param member Any address.
    /// @return Its vote.
    function voteOf(bytes32 id, address member) external view returns (Vote);

    /// @notice Whether a motion was carried out.
    /// @param id The motion.
    /// @return Whether it was.
    function isExecuted(bytes32 id) external view returns (bool);
}
