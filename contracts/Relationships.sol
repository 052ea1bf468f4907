// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Authorised} from "./base/Authorised.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {IRelationships} from "./interfaces/IRelationships.sol";
import {Powers} from "./libraries/Powers.sol";
import {Roles} from "./libraries/Roles.sol";

/// @title Relationships
/// @notice Which steward keeps records for which patient. See {IRelationships}.
contract Relationships is IRelationships, Authorised {
    /* CONSTANTS */

    bytes32 private constant PROPOSAL =
        keccak256("Proposal(address patient,address steward,address account,uint32 round)");
    bytes32 private constant ACCEPTANCE =
        keccak256("Acceptance(address patient,address steward,address account,uint32 round)");
    bytes32 private constant DECLINE =
        keccak256("Decline(address patient,address steward,address account,uint32 round)");
    bytes32 private constant ENDING =
        keccak256("Ending(address patient,address steward,address account,uint32 round)");

    /* STORAGE */

    mapping(address patient => mapping(address steward => Relationship)) private _relationships;

    /* CONSTRUCTOR */

    constructor(IRegistry registry) EIP712("medaccord Relationships", "1") Authorised(registry) {}

    /* PROPOSING */

    /// @inheritdoc IRelationships
    function propose(
        address patient,
        address steward,
        address account,
        address by,
        uint32 round,
        bytes calldata signature
    ) external {
        if (patient == steward) revert SameParty(patient);
        _checkSide(PROPOSAL, patient, steward, account, by, round, signature);
        Relationship memory stored = _relationships[patient][steward];
        if (stored.state != State.NONE && stored.state != State.ENDED) revert WrongState(stored.state);
        if (round != stored.round + 1) revert WrongRound(round, stored.round + 1);
        _checkSteward(steward);

        _enter(patient, steward, State.PROPOSED, account == patient, round);
        emit RelationshipProposed(patient, steward, by, account, round);
    }

    /* ANSWERING */

    /// @inheritdoc IRelationships
    function accept(
        address patient,
        address steward,
        address account,
        address by,
        uint32 round,
        bytes calldata signature
    ) external {
        _checkSide(ACCEPTANCE, patient, steward, account, by, round, signature);
        bool byPatient = _checkAnswer(patient, steward, account, round);
        _checkSteward(steward);

        _enter(patient, steward, State.ACTIVE, byPatient, round);
        emit RelationshipAccepted(patient, steward, by, account, round);
    }

    /// @inheritdoc IRelationships
    function decline(
        address patient,
        address steward,
        address account,
        address by,
        uint32 round,
        bytes calldata signature
    ) external {
        _checkSide(DECLINE, patient, steward, account, by, round, signature);
        bool byPatient = _checkAnswer(patient, steward, account, round);

        _enter(patient, steward, State.ENDED, byPatient, round);
        emit RelationshipDeclined(patient, steward, by, account, round);
    }

    /* ENDING */

    /// @inheritdoc IRelationships
    function end(
        address patient,
        address steward,
        address account,
        address by,
        uint32 round,
        bytes calldata signature
    ) external {
        _checkSide(ENDING, patient, steward, account, by, round, signature);
        Relationship memory stored = _relationships[patient][steward];
        if (stored.state != State.PROPOSED && stored.state != State.ACTIVE) revert WrongState(stored.state);
        if (round != stored.round) revert WrongRound(round, stored.round);
        bool own = stored.byPatient == (account == patient);
        if (stored.state == State.PROPOSED && !own) revert NotOwnProposal(account);

        _enter(patient, steward, State.ENDED, stored.byPatient, round);
        emit RelationshipEnded(patient, steward, by, account, round);
    }

    /* VIEWS */

    /// @inheritdoc IRelationships
    function relationshipOf(address patient, address steward) external view returns (Relationship memory) {
        return _relationships[patient][steward];
    }

    /// @inheritdoc IRelationships
    function isActive(address patient, address steward) external view returns (bool) {
        return _relationships[patient][steward].state == State.ACTIVE;
    }

    /* CHECKS */

    /// @dev Refuses unless `account` is one of the two sides and `by` may and does act for it as `typehash` says.
    function _checkSide(
        bytes32 typehash,
        address patient,
        address steward,
        address account,
        address by,
        uint32 round,
        bytes calldata signature
    ) private view {
        if (account != patient && account != steward) revert NotParty(account);
        bytes32 structHash = keccak256(abi.encode(typehash, patient, steward, account, round));
        _authorise(account, by, Powers.RELATE, structHash, signature);
    }

    /// @dev Refuses unless the side other than `account` proposed `round` and nobody answered.
    function _checkAnswer(
        address patient,
        address steward,
        address account,
        uint32 round
    ) private view returns (bool byPatient) {
        Relationship memory stored = _relationships[patient][steward];
        if (stored.state != State.PROPOSED) revert WrongState(stored.state);
        if (round != stored.round) revert WrongRound(round, stored.round);
        byPatient = stored.byPatient;
        if (byPatient == (account == patient)) revert OwnProposal(account);
    }

    /// @dev Refuses unless `steward` is active and holds STEWARD.
    function _checkSteward(address steward) private view {
        if (!REGISTRY.hasRole(steward, Roles.STEWARD)) revert NotSteward(steward);
    }

    /* TRANSITIONS */

    /// @dev Writes the pair's slot.
    function _enter(address patient, address steward, State state, bool byPatient, uint32 round) private {
        _relationships[patient][steward] = Relationship({
            state: state,
            byPatient: byPatient,
            round: round,
            since: uint40(block.timestamp)
        });
    }
}
