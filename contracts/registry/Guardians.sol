// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {IGuardians} from "../interfaces/IGuardians.sol";
import {NonceKeys} from "../libraries/NonceKeys.sol";
import {Controllers} from "./Controllers.sol";

/// @title Guardians
/// @notice Who together can hand an account to a new key, and how they do. See {IGuardians}.
abstract contract Guardians is IGuardians, Controllers {
    /// @dev The guardians of an account.
    /// @param current The commitment in force.
    /// @param next The commitment that follows it.
    /// @param nextFrom From when, inclusive, in Unix time; zero when none follows.
    struct GuardianSet {
        bytes32 current;
        bytes32 next;
        uint40 nextFrom;
    }

    /// @dev A recovery that was started and neither cancelled nor completed; all zero when there is none.
    /// @param newController The key the account will be handed to.
    /// @param nonce Its nonce.
    /// @param readyAt From when it may be completed, inclusive, in Unix time.
    /// @param guardians The commitment under which it started.
    struct PendingRecovery {
        address newController;
        uint64 nonce;
        uint40 readyAt;
        bytes32 guardians;
    }

    /* CONSTANTS */

    bytes32 private constant GUARDIANS_CHANGE =
        keccak256("GuardiansChange(address account,bytes32 commitment,uint64 nonce,uint40 deadline)");
    bytes32 private constant RECOVERY_APPROVAL =
        keccak256(
            "RecoveryApproval(address account,address guardian,address newController,uint64 nonce,uint40 deadline)"
        );
    bytes32 private constant CANCELLATION =
        keccak256("Cancellation(address account,address signer,uint64 nonce)");

    /* IMMUTABLES */

    /// @inheritdoc IGuardians
    uint40 public immutable RECOVERY_DELAY;

    /* STORAGE */

    mapping(address account => GuardianSet) private _guardians;
    mapping(address account => PendingRecovery) private _recoveries;

    /* CONSTRUCTOR */

    constructor(uint40 recoveryDelay) {
        if (recoveryDelay == 0 || recoveryDelay > type(uint32).max) revert InvalidRecoveryDelay(recoveryDelay);
        RECOVERY_DELAY = recoveryDelay;
    }

    /* GUARDIANS */

    /// @inheritdoc IGuardians
    function setGuardians(
        address account,
        address by,
        bytes32 commitment,
        uint64 nonce,
        uint40 deadline,
        bytes calldata signature
    ) external {
        _checkDeadline(deadline);
        _checkController(account, by);
        _checkSettled(account);
        _checkSigned(by, keccak256(abi.encode(GUARDIANS_CHANGE, account, commitment, nonce, deadline)), signature);
        _useCheckedNonce(account, NonceKeys.GUARDIANS, nonce);

        uint40 effectiveFrom = uint40(block.timestamp);
        GuardianSet memory guardians = _guardiansNow(account);
        if (guardians.current == 0) {
            guardians.current = commitment;
        } else {
            effectiveFrom += RECOVERY_DELAY;
            guardians.next = commitment;
            guardians.nextFrom = effectiveFrom;
        }
        _guardians[account] = guardians;
        emit GuardiansSet(account, by, commitment, effectiveFrom);
    }

    /// @inheritdoc IGuardians
    function guardiansOf(
        address account
    ) external view returns (bytes32 current, bytes32 next, uint40 nextFrom) {
        GuardianSet memory guardians = _guardiansNow(account);
        return (guardians.current, guardians.next, guardians.nextFrom);
    }

    /* RECOVERY */

    /// @inheritdoc IGuardians
    function startRecovery(
        Recovery calldata recovery,
        bytes32 root,
        uint8 threshold,
        GuardianApproval[] calldata approvals
    ) external {
        address account = recovery.account;
        _checkDeadline(recovery.deadline);
        _checkSettled(account);
        if (recovery.newController == address(0)) revert ZeroController(account);
        bytes32 guardians = _guardiansNow(account).current;
        _checkCommitment(account, root, threshold, guardians);
        _checkApprovals(recovery, root, threshold, approvals);
        _useCheckedNonce(account, NonceKeys.RECOVERY, recovery.nonce);

        uint40 readyAt = uint40(block.timestamp) + RECOVERY_DELAY;
        _setRecovering(account, true);
        _recoveries[account] = PendingRecovery({
            newController: recovery.newController,
            nonce: recovery.nonce,
            readyAt: readyAt,
            guardians: guardians
        });
        emit RecoveryStarted(account, recovery.newController, recovery.nonce, readyAt);
    }

    /// @inheritdoc IGuardians
    function cancelRecovery(
        address account,
        address by,
        uint64 nonce,
        bytes32 root,
        uint8 threshold,
        GuardianApproval calldata approval,
        bytes calldata signature
    ) external {
        PendingRecovery memory pending = _pendingRecovery(account);
        address guardian = approval.guardian;
        if (nonce != pending.nonce) revert WrongRecovery(account, nonce, pending.nonce);
        _checkController(account, by);
        _checkCommitment(account, root, threshold, pending.guardians);
        if (guardian == by || guardian == account) revert GuardianIsController(account, guardian);
        _checkGuardian(account, root, approval);
        _checkSigned(by, keccak256(abi.encode(CANCELLATION, account, by, nonce)), signature);
        _checkSigned(guardian, keccak256(abi.encode(CANCELLATION, account, guardian, nonce)), approval.signature);

        _setRecovering(account, false);
        delete _recoveries[account];
        emit RecoveryCancelled(account, by, guardian, nonce);
    }

    /// @inheritdoc IGuardians
    function completeRecovery(address account) external {
        PendingRecovery memory pending = _pendingRecovery(account);
        if (block.timestamp < pending.readyAt) revert RecoveryNotReady(account, pending.readyAt);

        uint32 epoch = _handOver(account, pending.newController);
        _guardians[account] = GuardianSet({current: pending.guardians, next: 0, nextFrom: 0});
        delete _recoveries[account];
        emit RecoveryCompleted(account, pending.newController, epoch);
    }

    /// @inheritdoc IGuardians
    function recoveryOf(
        address account
    ) external view returns (address newController, uint64 nonce, uint40 readyAt, bytes32 guardians) {
        PendingRecovery memory pending = _recoveries[account];
        return (pending.newController, pending.nonce, pending.readyAt, pending.guardians);
    }

    /* CHECKS */

    /// @dev Refuses unless enough guardians, each once, approved `recovery`. Walks what the sender handed in.
    function _checkApprovals(
        Recovery calldata recovery,
        bytes32 root,
        uint8 threshold,
        GuardianApproval[] calldata approvals
    ) private view {
        address account = recovery.account;
        if (threshold == 0 || approvals.length < threshold) {
            revert TooFewGuardians(account, approvals.length, threshold);
        }
        address previous = address(0);
        for (uint256 i = 0; i < approvals.length; ++i) {
            GuardianApproval calldata approval = approvals[i];
            address guardian = approval.guardian;
            if (guardian <= previous) revert GuardiansOutOfOrder(previous, guardian);
            _checkGuardian(account, root, approval);
            bytes32 structHash = keccak256(
                abi.encode(
                    RECOVERY_APPROVAL,
                    account,
                    guardian,
                    recovery.newController,
                    recovery.nonce,
                    recovery.deadline
                )
            );
            _checkSigned(guardian, structHash, approval.signature);
            previous = guardian;
        }
    }

    /// @dev Refuses a root and threshold that are not what was committed to.
    function _checkCommitment(address account, bytes32 root, uint8 threshold, bytes32 expected) private pure {
        bytes32 commitment = keccak256(abi.encode(root, threshold));
        if (commitment != expected) revert WrongGuardians(account, commitment, expected);
    }

    /// @dev Refuses one who is no leaf under `root`. The leaf is hashed twice, so that no inner node passes for one.
    function _checkGuardian(address account, bytes32 root, GuardianApproval calldata approval) private pure {
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(approval.guardian, approval.salt))));
        if (!MerkleProof.verifyCalldata(approval.proof, root, leaf)) {
            revert NotGuardian(account, approval.guardian);
        }
    }

    /* READING STORAGE */

    /// @dev The guardians as they are at this second, whether or not storage says so yet.
    function _guardiansNow(address account) private view returns (GuardianSet memory guardians) {
        guardians = _guardians[account];
        if (guardians.nextFrom != 0 && block.timestamp >= guardians.nextFrom) {
            guardians = GuardianSet({current: guardians.next, next: 0, nextFrom: 0});
        }
    }

    /// @dev The key that a pending recovery will hand the account to; zero when there is none.
    function _incomingController(address account) internal view returns (address) {
        return _recoveries[account].newController;
    }

    /// @dev The pending recovery; refuses when there is none.
    function _pendingRecovery(address account) private view returns (PendingRecovery memory) {
        if (!_isRecovering(account)) revert NoRecovery(account);
        return _recoveries[account];
    }
}
