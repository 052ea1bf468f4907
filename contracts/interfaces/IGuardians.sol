// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title IGuardians
/// @notice People and organisations who together can hand an account to a new key when the old one is lost.
/// @dev Guardians are hidden in a commitment, `keccak256(abi.encode(bytes32 root, uint8 threshold))`. The root is that
/// of a Merkle tree with sorted pairs over the leaves `keccak256(keccak256(abi.encode(address guardian, bytes32 salt)))`.
/// Warning: an account's own key, present or past, must not be among its guardians: a thief of that key could stop a
/// recovery alone. The account's own address and the acting controller are refused; other keys nobody can tell.
/// Warning: guardians that reach the threshold can take the account; the delay is the time to notice.
interface IGuardians {
    /// @notice One guardian's word, with the proof that it is a guardian.
    /// @param guardian The guardian.
    /// @param salt The salt of its leaf.
    /// @param proof The siblings from its leaf to the root.
    /// @param signature Empty when the guardian is the sender, else its signature.
    struct GuardianApproval {
        address guardian;
        bytes32 salt;
        bytes32[] proof;
        bytes signature;
    }

    /// @notice What guardians approve.
    /// @param account The account to recover.
    /// @param newController The key to hand it to.
    /// @param nonce The next nonce of the account under the key RECOVERY, without its key.
    /// @param deadline The last second, in Unix time, at which the recovery may start.
    struct Recovery {
        address account;
        address newController;
        uint64 nonce;
        uint40 deadline;
    }

    /// @notice Thrown at deployment when the delay is zero or does not fit 32 bits.
    /// @param recoveryDelay What was named, in seconds.
    error InvalidRecoveryDelay(uint40 recoveryDelay);

    /// @notice Thrown when root and threshold are not those that count.
    /// @param account The account.
    /// @param commitment The commitment to what was handed in.
    /// @param expected The commitment that counts; zero when there is none.
    error WrongGuardians(address account, bytes32 commitment, bytes32 expected);

    /// @notice Thrown when an approval is not that of a guardian under the root.
    /// @param account The account.
    /// @param guardian Who was said to be a guardian.
    error NotGuardian(address account, address guardian);

    /// @notice Thrown when approvals are not in strictly ascending order of their guardians.
    /// @param previous The guardian before.
    /// @param next The guardian out of order.
    error GuardiansOutOfOrder(address previous, address next);

    /// @notice Thrown when there are fewer approvals than the threshold, or the threshold is zero.
    /// @param account The account.
    /// @param approvals How many there are.
    /// @param threshold How many are needed.
    error TooFewGuardians(address account, uint256 approvals, uint8 threshold);

    /// @notice Thrown when the guardian who would cancel is the controller or the account itself.
    /// @param account The account.
    /// @param guardian The guardian.
    error GuardianIsController(address account, address guardian);

    /// @notice Thrown when no recovery is pending.
    /// @param account The account.
    error NoRecovery(address account);

    /// @notice Thrown when a cancellation names another recovery than the pending one.
    /// @param account The account.
    /// @param nonce The nonce named.
    /// @param pending The nonce of the pending recovery.
    error WrongRecovery(address account, uint64 nonce, uint64 pending);

    /// @notice Thrown when a recovery is completed before its delay has run.
    /// @param account The account.
    /// @param readyAt From when it may be completed, inclusive, in Unix time.
    error RecoveryNotReady(address account, uint40 readyAt);

    /// @notice Emitted when an account's guardians were set.
    /// @param account The account.
    /// @param by Its controller.
    /// @param commitment The commitment to the guardians; zero for none.
    /// @param effectiveFrom From when they are in force, inclusive, in Unix time.
    event GuardiansSet(address indexed account, address indexed by, bytes32 commitment, uint40 effectiveFrom);

    /// @notice Emitted when enough guardians started the recovery of an account.
    /// @param account The account.
    /// @param newController The key it will be handed to.
    /// @param nonce The nonce of this recovery.
    /// @param readyAt From when it may be completed, inclusive, in Unix time.
    event RecoveryStarted(
        address indexed account,
        address indexed newController,
        uint64 nonce,
        uint40 readyAt
    );

    /// @notice Emitted when the controller and a guardian stopped a recovery.
    /// @param account The account.
    /// @param by Its controller.
    /// @param guardian The guardian.
    /// @param nonce The nonce of the recovery.
    event RecoveryCancelled(
        address indexed account,
        address indexed by,
        address indexed guardian,
        uint64 nonce
    );

    /// @notice Emitted when an account was handed to the key its guardians chose. Guardians that were set but not in
    /// force when the recovery started are dropped.
    /// @param account The account.
    /// @param newController The key that acts for it from now on.
    /// @param epoch The account's new epoch.
    event RecoveryCompleted(address indexed account, address indexed newController, uint32 epoch);

    /// @notice Sets the guardians of an account: at once when none are in force, else {RECOVERY_DELAY} later, so that a
    /// thief of the key cannot replace them before they act. Setting again replaces what is scheduled and restarts the
    /// delay.
    /// @dev Signed: `GuardiansChange(address account,bytes32 commitment,uint64 nonce,uint40 deadline)`.
    /// Emits {GuardiansSet}.
    /// Requirements: `by` is the controller; no recovery is pending; `nonce` is the next under the key GUARDIANS; the
    /// deadline has not passed.
    /// Warning: the commitment is not opened: a threshold of zero, or above the number of guardians, means that nobody
    /// can recover the account.
    /// @param account The account.
    /// @param by Its controller.
    /// @param commitment The commitment to the guardians; zero for none.
    /// @param nonce The next nonce of the account under the key GUARDIANS, without its key.
    /// @param deadline The last second at which this may happen, in Unix time.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function setGuardians(
        address account,
        address by,
        bytes32 commitment,
        uint64 nonce,
        uint40 deadline,
        bytes calldata signature
    ) external;

    /// @notice Starts the recovery of an account. Anybody may send it. From now on the controller and the delegates can
    /// only restrict and anchor.
    /// @dev Each guardian signs: `RecoveryApproval(address account,address guardian,address newController,uint64 nonce,
    /// uint40 deadline)`, without the line break.
    /// Emits {RecoveryStarted}.
    /// Requirements: root and threshold are those in force; at least threshold, and at least one, approvals, each of a
    /// guardian under the root, in strictly ascending order; no recovery is pending; the new controller is not zero;
    /// the nonce is the next under the key RECOVERY; the deadline has not passed.
    /// @param recovery What the guardians approve.
    /// @param root The root of the guardians' tree.
    /// @param threshold How many guardians are needed.
    /// @param approvals Their approvals.
    function startRecovery(
        Recovery calldata recovery,
        bytes32 root,
        uint8 threshold,
        GuardianApproval[] calldata approvals
    ) external;

    /// @notice Stops a recovery, with the word of the controller and of one guardian. Also when its delay has run, as
    /// long as nobody has completed it.
    /// @dev Both sign: `Cancellation(address account,address signer,uint64 nonce)`, each as `signer`.
    /// Emits {RecoveryCancelled}.
    /// Requirements: a recovery with this nonce is pending; `by` is the controller; root and threshold are those under
    /// which it started, and the guardian is one of them, not `by` and not the account.
    /// @param account The account.
    /// @param by Its controller.
    /// @param nonce The nonce of the recovery.
    /// @param root The root of the guardians' tree.
    /// @param threshold How many guardians a recovery needs.
    /// @param approval The guardian's word.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function cancelRecovery(
        address account,
        address by,
        uint64 nonce,
        bytes32 root,
        uint8 threshold,
        GuardianApproval calldata approval,
        bytes calldata signature
    ) external;

    /// @notice Hands an account to the key its guardians chose, once the delay has run. Anybody may send it.
    /// @dev Emits {RecoveryCompleted}.
    /// Requirements: a recovery is pending and its time has come.
    /// Raises the epoch: consents and delegations made before are dead. The guardians under whom it started stay in
    /// force; others that were scheduled are dropped, as a thief may have set them.
    /// @param account The account.
    function completeRecovery(address account) external;

    /// @notice The guardians of an account.
    /// @param account Any address.
    /// @return current The commitment in force now; zero for none.
    /// @return next The commitment that is scheduled; zero when none is, or when the scheduled one is «none».
    /// @return nextFrom From when it will be in force, inclusive, in Unix time; zero when none is scheduled.
    function guardiansOf(address account) external view returns (bytes32 current, bytes32 next, uint40 nextFrom);

    /// @notice The pending recovery of an account.
    /// @param account Any address.
    /// @return newController The key it will be handed to; zero when none is pending.
    /// @return nonce Its nonce.
    /// @return readyAt From when it may be completed, inclusive, in Unix time.
    /// @return guardians The commitment under which it started.
    function recoveryOf(
        address account
    ) external view returns (address newController, uint64 nonce, uint40 readyAt, bytes32 guardians);

    /// @notice How long a recovery waits before it can be completed, and new guardians before they are in force. Fixed
    /// at deployment.
    /// @return The delay in seconds.
    function RECOVERY_DELAY() external view returns (uint40);
}
