// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAuthorised} from "./IAuthorised.sol";

/// @title IRelationships
/// @notice Which steward keeps records for which patient. Either side proposes, the other accepts or declines, and
/// either ends it. Rounds are numbered, so that a signature serves one round and never the next.
/// @dev EIP-712 domain: name "medaccord Relationships", version "1". Each action names `account`, the side that acts;
/// `by`, its controller or a delegate holding RELATE, else {IAuthority-NotAuthorised}; and a `signature` as {ISigned}
/// says.
interface IRelationships is IAuthorised {
    /// @notice Where a pair stands.
    /// @dev NONE to PROPOSED, PROPOSED to ACTIVE or ENDED, ACTIVE to ENDED, ENDED to PROPOSED in the next round.
    enum State {
        NONE,
        PROPOSED,
        ACTIVE,
        ENDED
    }

    /// @notice The link of one patient and one steward, in one slot.
    /// @param state Where it stands.
    /// @param byPatient Whether the patient made the proposal of this round, rather than the steward.
    /// @param round How many proposals there were.
    /// @param since The block time at which it came to stand there, in Unix time.
    struct Relationship {
        State state;
        bool byPatient;
        uint32 round;
        uint40 since;
    }

    /// @notice Thrown when `account` is neither the patient nor the steward.
    /// @param account The side named.
    error NotParty(address account);

    /// @notice Thrown when one account is named as patient and as steward.
    /// @param account The account.
    error SameParty(address account);

    /// @notice Thrown when a steward is not an active organisation holding STEWARD.
    /// @param steward The account named as steward.
    error NotSteward(address steward);

    /// @notice Thrown when an action is for another round than the one at hand.
    /// @param round The round named.
    /// @param expected The round that can be acted on.
    error WrongRound(uint32 round, uint32 expected);

    /// @notice Thrown when an action is not possible where the pair stands.
    /// @param state Where it stands.
    error WrongState(State state);

    /// @notice Thrown when a side answers a proposal that is its own.
    /// @param account The side that proposed.
    error OwnProposal(address account);

    /// @notice Thrown when a side withdraws a proposal that is not its own; it can decline it.
    /// @param account The side that did not propose.
    error NotOwnProposal(address account);

    /// @notice Emitted when a side proposed a relationship.
    /// @param patient The patient's account.
    /// @param steward The organisation.
    /// @param by The key that acted.
    /// @param account The side that proposed.
    /// @param round The number of the proposal.
    event RelationshipProposed(
        address indexed patient,
        address indexed steward,
        address indexed by,
        address account,
        uint32 round
    );

    /// @notice Emitted when the other side accepted, which made the relationship active.
    /// @param patient The patient's account.
    /// @param steward The organisation.
    /// @param by The key that acted.
    /// @param account The side that accepted.
    /// @param round The round that was accepted.
    event RelationshipAccepted(
        address indexed patient,
        address indexed steward,
        address indexed by,
        address account,
        uint32 round
    );

    /// @notice Emitted when the other side declined, which ended the round.
    /// @param patient The patient's account.
    /// @param steward The organisation.
    /// @param by The key that acted.
    /// @param account The side that declined.
    /// @param round The round that was declined.
    event RelationshipDeclined(
        address indexed patient,
        address indexed steward,
        address indexed by,
        address account,
        uint32 round
    );

    /// @notice Emitted when a side ended the relationship, or took its own proposal back.
    /// @param patient The patient's account.
    /// @param steward The organisation.
    /// @param by The key that acted.
    /// @param account The side that ended it.
    /// @param round The round that was ended.
    event RelationshipEnded(
        address indexed patient,
        address indexed steward,
        address indexed by,
        address account,
        uint32 round
    );

    /// @notice Proposes a relationship to the other side.
    /// @dev Signed: `Proposal(address patient,address steward,address account,uint32 round)`.
    /// Emits {RelationshipProposed}.
    /// Requirements: `account` is one of two distinct sides; nothing is proposed or active; `round` is one more than
    /// the rounds there were; the steward holds STEWARD and is not suspended.
    /// Warning: a proposal that was signed but never sent can be sent until its round is over. To kill it, propose and
    /// end that round.
    /// @param patient The patient's account.
    /// @param steward The organisation that is to keep records.
    /// @param account The side that proposes.
    /// @param by The key that acts for `account`.
    /// @param round The number of the proposal, from one.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function propose(
        address patient,
        address steward,
        address account,
        address by,
        uint32 round,
        bytes calldata signature
    ) external;

    /// @notice Accepts the other side's proposal: the relationship is active at once.
    /// @dev Signed: `Acceptance(address patient,address steward,address account,uint32 round)`.
    /// Emits {RelationshipAccepted}.
    /// Requirements: the other side proposed `round`, and it is not answered; the steward holds STEWARD and is not
    /// suspended.
    /// @param patient The patient's account.
    /// @param steward The organisation that is to keep records.
    /// @param account The side that accepts.
    /// @param by The key that acts for `account`.
    /// @param round The round to accept.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function accept(
        address patient,
        address steward,
        address account,
        address by,
        uint32 round,
        bytes calldata signature
    ) external;

    /// @notice Declines the other side's proposal. No suspension stops it.
    /// @dev Signed: `Decline(address patient,address steward,address account,uint32 round)`.
    /// Emits {RelationshipDeclined}.
    /// Requirements: the other side proposed `round`, and it is not answered.
    /// @param patient The patient's account.
    /// @param steward The organisation that was to keep records.
    /// @param account The side that declines.
    /// @param by The key that acts for `account`.
    /// @param round The round to decline.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function decline(
        address patient,
        address steward,
        address account,
        address by,
        uint32 round,
        bytes calldata signature
    ) external;

    /// @notice Ends an active relationship, or takes back `account`'s own proposal. No suspension stops it.
    /// @dev Signed: `Ending(address patient,address steward,address account,uint32 round)`.
    /// Emits {RelationshipEnded}.
    /// Requirements: `round` is active, or proposed by `account` and not answered.
    /// @param patient The patient's account.
    /// @param steward The organisation that kept records.
    /// @param account The side that ends it.
    /// @param by The key that acts for `account`.
    /// @param round The round to end.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function end(
        address patient,
        address steward,
        address account,
        address by,
        uint32 round,
        bytes calldata signature
    ) external;

    /// @notice The link of a patient and a steward.
    /// @param patient Any address.
    /// @param steward Any address.
    /// @return The link; all zero before the first proposal.
    function relationshipOf(address patient, address steward) external view returns (Relationship memory);

    /// @notice Whether a relationship is active.
    /// @dev Warning: true for a suspended steward too. Whoever relies on it asks the Registry as well.
    /// @param patient Any address.
    /// @param steward Any address.
    /// @return Whether it was accepted and not ended.
    function isActive(address patient, address steward) external view returns (bool);
}
