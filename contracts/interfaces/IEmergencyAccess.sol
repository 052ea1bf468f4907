// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAuthorised} from "./IAuthorised.sol";
import {ISerials} from "./ISerials.sol";

/// @title IEmergencyAccess
/// @notice Short access that an organisation holding EMERGENCY opens for itself, with a reason: the one exception to
/// the rule that only the patient consents. What it covers is fixed and published off chain. The patient can forbid it
/// to all in advance, and close it to one at once.
/// @dev Closing and forbidding take any serial from the highest seen on; allowing takes only a higher one. So an
/// allowance that was signed and withheld never holds up a closure or ban of its serial, and is dead after it.
/// Warning: a captured consortium can give EMERGENCY to anybody. It takes effect after a delay, which a patient who
/// watches can use to forbid.
interface IEmergencyAccess is IAuthorised, ISerials {
    /// @notice What an organisation signs to open emergency access; its EIP-712 digest is the emergency's id.
    /// @param patient The account whose records are opened.
    /// @param grantee The organisation that opens them.
    /// @param reason A salted commitment to the reason.
    /// @param validUntil The end in Unix time, exclusive; the start is the block's time, inclusive.
    /// @param nonce The next nonce of the grantee under the key `uint192(uint160(patient))`, without its key.
    /// @param deadline The last second, in Unix time, at which this may be handed in.
    struct EmergencyOpening {
        address patient;
        address grantee;
        bytes32 reason;
        uint40 validUntil;
        uint64 nonce;
        uint40 deadline;
    }

    /// @notice Thrown when the grantee is not an active organisation whose role EMERGENCY is in effect.
    /// @param grantee The account named.
    error NoEmergencyRole(address grantee);

    /// @notice Thrown when the patient forbids emergency access.
    /// @param patient The patient's account.
    error EmergencyForbiddenBy(address patient);

    /// @notice Thrown when the patient closed emergency access to the grantee and has not allowed it again.
    /// @param patient The patient's account.
    /// @param grantee The organisation.
    error EmergencyBarred(address patient, address grantee);

    /// @notice Thrown when the pair has one that has not ended, even if a suspension pauses it.
    /// @param patient The patient's account.
    /// @param grantee The organisation.
    /// @param validUntil Its end, exclusive, in Unix time.
    error EmergencyOpenAlready(address patient, address grantee, uint40 validUntil);

    /// @notice Thrown when an opening would end now or before, or later than allowed.
    /// @param validUntil The end named, exclusive, in Unix time.
    /// @param latest The latest end allowed, in Unix time.
    error InvalidEmergencyWindow(uint40 validUntil, uint40 latest);

    /// @notice Thrown when the commitment to the reason is zero.
    error ZeroReason();

    /// @notice Thrown at deployment when the longest emergency access does not fit 32 bits.
    /// @param maxEmergency What was named, in seconds.
    error InvalidMaxEmergency(uint40 maxEmergency);

    /// @notice Thrown when nothing is barred or forbidden that could be allowed again. So no allowance that was held
    /// back can run ahead of a closure or a ban.
    /// @param patient The patient's account.
    /// @param grantee The organisation; zero for the patient-wide ban.
    error NothingToAllow(address patient, address grantee);

    /// @notice Emitted when an organisation opened emergency access, from this block's time on.
    /// @param patient The patient's account.
    /// @param grantee The organisation.
    /// @param emergencyId The digest of the opening.
    /// @param by The key that acted.
    /// @param reason A salted commitment to the reason.
    /// @param validUntil The end, exclusive, in Unix time.
    /// @param epoch The patient's epoch; the access dies with it.
    event EmergencyOpened(
        address indexed patient,
        address indexed grantee,
        bytes32 indexed emergencyId,
        address by,
        bytes32 reason,
        uint40 validUntil,
        uint32 epoch
    );

    /// @notice Emitted when emergency access was closed to an organisation, open or not, until it is allowed again.
    /// @param patient The patient's account.
    /// @param grantee The organisation.
    /// @param by The key that acted.
    /// @param serial Every allowance of this pair up to this serial is dead, sent or not.
    event EmergencyClosed(address indexed patient, address indexed grantee, address indexed by, uint64 serial);

    /// @notice Emitted when all that was open to anybody was ended, and more forbidden until it is allowed again.
    /// @param patient The patient's account.
    /// @param by The key that acted.
    /// @param serial Every patient-wide allowance up to this serial is dead, sent or not.
    event EmergencyForbidden(address indexed patient, address indexed by, uint64 serial);

    /// @notice Emitted when emergency access may be opened again; nothing is open by it.
    /// @param patient The patient's account.
    /// @param grantee The organisation that is no longer barred; zero when the patient-wide ban was lifted.
    /// @param by The key that acted.
    /// @param serial The serial of the allowance.
    event EmergencyAllowed(address indexed patient, address indexed grantee, address indexed by, uint64 serial);

    /// @notice Opens a patient's records to an organisation, at once and until `validUntil`.
    /// @dev Signed: `EmergencyOpening(address patient,address grantee,bytes32 reason,uint40 validUntil,uint64 nonce,
    /// uint40 deadline)`, without the line break.
    /// Emits {EmergencyOpened}.
    /// Requirements: `by` holds EMERGENCY for the grantee; the grantee holds the role EMERGENCY, in effect, and is not
    /// suspended; the patient neither forbids it nor bars the grantee; the pair has none that has not ended; the reason
    /// is not zero; now < `validUntil` <= now + MAX_EMERGENCY; the nonce is the next; the deadline has not passed.
    /// @param opening What is opened, to whom, and why.
    /// @param by The grantee's controller or a delegate.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function openEmergency(EmergencyOpening calldata opening, address by, bytes calldata signature) external;

    /// @notice Ends the emergency access of an organisation, if there is one, and bars it until it is allowed again.
    /// @dev Signed: `EmergencyClosure(address patient,address grantee,uint64 serial)`.
    /// Emits {EmergencyClosed}.
    /// Requirements: `by` holds RESTRICT for `patient`, also while a recovery is pending; `serial` is not below the
    /// highest of the pair. Handing the same in twice changes nothing.
    /// @param patient The patient's account.
    /// @param by Its controller or a delegate.
    /// @param grantee The organisation.
    /// @param serial The serial up to which allowances of the pair die.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function closeEmergency(
        address patient,
        address by,
        address grantee,
        uint64 serial,
        bytes calldata signature
    ) external;

    /// @notice Ends all emergency access to a patient's records for good, and forbids more until it is allowed again.
    /// @dev Signed: `EmergencyBan(address patient,uint64 serial)`.
    /// Emits {EmergencyForbidden}.
    /// Requirements: `by` holds RESTRICT for `patient`, also while a recovery is pending; `serial` is not below the
    /// highest patient-wide one. Handing the same in twice changes nothing.
    /// @param patient The patient's account.
    /// @param by Its controller or a delegate.
    /// @param serial The serial up to which patient-wide allowances die.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function forbidEmergency(address patient, address by, uint64 serial, bytes calldata signature) external;

    /// @notice Lifts the bar of one organisation, or the patient-wide ban. What was ended stays ended.
    /// @dev Signed: `EmergencyAllowance(address patient,address grantee,uint64 serial,uint40 deadline)`.
    /// Emits {EmergencyAllowed}.
    /// Requirements: `by` holds GRANT for `patient`; the organisation is barred, or all are forbidden; `serial` is above
    /// the highest of the pair, or patient-wide; the deadline has not passed.
    /// Warning: lifting the ban leaves the bars of single organisations, and the other way round.
    /// @param patient The patient's account.
    /// @param by Its controller or a delegate.
    /// @param grantee The organisation whose bar is lifted; zero for the patient-wide ban.
    /// @param serial The serial of the allowance.
    /// @param deadline The last second, in Unix time, at which this may be handed in.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function allowEmergency(
        address patient,
        address by,
        address grantee,
        uint64 serial,
        uint40 deadline,
        bytes calldata signature
    ) external;

    /// @notice Whether an organisation has emergency access now: it opened it, now is before its end, the patient has
    /// neither closed, forbidden nor revoked all since, and the organisation holds EMERGENCY and is not suspended.
    /// @param patient The patient's account.
    /// @param grantee The organisation.
    /// @return Whether it has.
    function isEmergencyActive(address patient, address grantee) external view returns (bool);

    /// @notice The last opening of a pair, and its bar.
    /// @dev Warning: a ban, a revoke-all and a suspension do not show here; ask {isEmergencyActive}.
    /// @param patient The patient's account.
    /// @param grantee The organisation.
    /// @return openedAt The start, inclusive, in Unix time; zero when there was none.
    /// @return validUntil The end, exclusive, in Unix time; the time of the closure when that came before.
    /// @return epoch The patient's epoch when it was opened.
    /// @return serial The highest serial of the pair.
    /// @return barred Whether the patient bars the organisation.
    function emergencyOf(
        address patient,
        address grantee
    ) external view returns (uint40 openedAt, uint40 validUntil, uint32 epoch, uint64 serial, bool barred);

    /// @notice Whether a patient forbids emergency access.
    /// @param patient The patient's account.
    /// @return serial The highest patient-wide serial.
    /// @return forbidden Whether it is forbidden.
    function emergencyBanOf(address patient) external view returns (uint64 serial, bool forbidden);

    /// @notice The longest emergency access, fixed at deployment.
    /// @return Seconds; zero where nobody can open any.
    function MAX_EMERGENCY() external view returns (uint40);
}
