// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEmergencyAccess} from "./IEmergencyAccess.sol";

/// @title IConsents
/// @notice What patients consented to. A consent is granted once, by the patient's controller or a delegate holding
/// GRANT and nobody else; it ends by time, by revocation or with the patient's epoch, and then for good.
/// @dev EIP-712 domain: name "medaccord Consents", version "1". Each action names `by`, the key that acts, else
/// {IAuthority-NotAuthorised}, and takes a `signature` as {ISigned} says. A consent is one slot, under patient and id,
/// so that nobody reaches into another's. Its times take 32 bits: no consent starts after 2106, while revoking goes on.
interface IConsents is IEmergencyAccess {
    /// @notice What is known of an id.
    /// @dev NONE to GRANTED or REVOKED, GRANTED to REVOKED. What ended by time or epoch stays GRANTED.
    enum Status {
        NONE,
        GRANTED,
        REVOKED
    }

    /// @notice What a patient signs; its EIP-712 digest is the consent's id.
    /// @param patient The account whose records may be read.
    /// @param grantee The organisation that may read them.
    /// @param terms A salted commitment to the terms: what, what for, kept by whom.
    /// @param validFrom The start in Unix time, inclusive.
    /// @param validUntil The end in Unix time, exclusive.
    /// @param request The digest of the signed request this answers, or zero.
    /// @param epoch The patient's epoch; the consent dies with it.
    struct Consent {
        address patient;
        address grantee;
        bytes32 terms;
        uint40 validFrom;
        uint40 validUntil;
        bytes32 request;
        uint32 epoch;
    }

    /// @notice Thrown at deployment when the longest span is zero or takes more than 32 bits.
    /// @param maxSpan The span named, in seconds.
    error InvalidMaxSpan(uint40 maxSpan);

    /// @notice Thrown when a consent names an epoch that is not the patient's.
    /// @param account The patient's account.
    /// @param epoch The epoch named.
    /// @param current The patient's epoch.
    error WrongEpoch(address account, uint32 epoch, uint32 current);

    /// @notice Thrown when a consent would end before it starts, when it starts, or no later than now.
    /// @param validFrom The start, inclusive, in Unix time.
    /// @param validUntil The end, exclusive, in Unix time.
    error InvalidWindow(uint40 validFrom, uint40 validUntil);

    /// @notice Thrown when a consent would last longer, or start further ahead, than allowed.
    /// @param validFrom The start, inclusive, in Unix time.
    /// @param validUntil The end, exclusive, in Unix time.
    /// @param maxSpan The longest span, in seconds.
    error ConsentTooLong(uint40 validFrom, uint40 validUntil, uint40 maxSpan);

    /// @notice Thrown when a delegate would grant a consent that ends later than its delegation.
    /// @param validUntil The end of the consent, exclusive, in Unix time.
    /// @param until The end of the delegation, exclusive, in Unix time.
    error OutlivesDelegation(uint40 validUntil, uint40 until);

    /// @notice Thrown when a consent was granted or revoked before.
    /// @param consentId The digest of the consent.
    /// @param status Which of them.
    error ConsentKnown(bytes32 consentId, Status status);

    /// @notice Thrown when a patient is named as its own grantee.
    /// @param patient The patient's account.
    error GranteeIsPatient(address patient);

    /// @notice Thrown when the grantee is not an admitted organisation, or is suspended.
    /// @param grantee The account named.
    error NotActiveOrganisation(address grantee);

    /// @notice Thrown when a consent was revoked before.
    /// @param consentId The digest of the consent.
    error ConsentRevokedAlready(bytes32 consentId);

    /// @notice Emitted when a consent was granted.
    /// @param patient The patient's account.
    /// @param grantee The organisation.
    /// @param consentId The digest of the consent.
    /// @param by The key that acted.
    /// @param terms A salted commitment to the terms.
    /// @param validFrom The start, inclusive, in Unix time.
    /// @param validUntil The end, exclusive, in Unix time.
    /// @param request The digest of the request this answers, or zero.
    /// @param epoch The patient's epoch.
    event ConsentGranted(
        address indexed patient,
        address indexed grantee,
        bytes32 indexed consentId,
        address by,
        bytes32 terms,
        uint40 validFrom,
        uint40 validUntil,
        bytes32 request,
        uint32 epoch
    );

    /// @notice Emitted when a consent was revoked for good, granted or not.
    /// @param patient The patient's account.
    /// @param consentId The digest of the consent.
    /// @param by The key that acted.
    event ConsentRevoked(address indexed patient, bytes32 indexed consentId, address indexed by);

    /// @notice Lets an organisation read a patient's records within terms and time.
    /// @dev Signed: `Consent(address patient,address grantee,bytes32 terms,uint40 validFrom,uint40 validUntil,
    /// bytes32 request,uint32 epoch)`, without the line break.
    /// Emits {ConsentGranted}.
    /// Requirements: `by` holds GRANT for the patient; the epoch is the patient's; a delegate's consent ends no later
    /// than its delegation; `validFrom` < `validUntil` and now < `validUntil`; `validUntil` - `validFrom` <= MAX_SPAN
    /// and `validFrom` <= now + MAX_SPAN; the consent was neither granted nor revoked before; the grantee is another
    /// account, an organisation that is not suspended.
    /// Warning: a consent that was signed but never sent can be sent until it would have ended. Revoking it kills it.
    /// @param consent What is consented to.
    /// @param by The patient's controller or a delegate.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function grant(Consent calldata consent, address by, bytes calldata signature) external;

    /// @notice Revokes a consent for good, also one that never arrived.
    /// @dev Signed: `Revocation(address patient,bytes32 consentId)`.
    /// Emits {ConsentRevoked}.
    /// Requirements: `by` holds RESTRICT for `patient`, also while a recovery is pending; the consent was not revoked
    /// before. No time, epoch or suspension stops it.
    /// @param patient The patient's account.
    /// @param by Its controller or a delegate.
    /// @param consentId The digest of the consent.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function revoke(address patient, address by, bytes32 consentId, bytes calldata signature) external;

    /// @notice Whether a consent is active now: it was granted and not revoked, `validFrom` <= now < `validUntil`, its
    /// epoch is the patient's, and its grantee is an organisation that is not suspended.
    /// @dev Warning: what the terms cover, and whether the steward still keeps the patient's records, is for the
    /// steward's gatekeeper to check.
    /// @param patient The patient's account.
    /// @param consentId The digest of the consent.
    /// @return Whether it is.
    function isActive(address patient, bytes32 consentId) external view returns (bool);

    /// @notice What is stored of a consent.
    /// @param patient The patient's account.
    /// @param consentId The digest of the consent.
    /// @return status Whether it was granted or revoked.
    /// @return grantee The organisation; zero when it was never granted.
    /// @return validFrom The start, inclusive, in Unix time; the time of the revocation when revoked.
    /// @return validUntil The end, exclusive, in Unix time; the time of the revocation when revoked.
    /// @return epoch The patient's epoch when it was granted; zero when it never was.
    function consentOf(
        address patient,
        bytes32 consentId
    ) external view returns (Status status, address grantee, uint40 validFrom, uint40 validUntil, uint32 epoch);

    /// @notice The id of a consent: the EIP-712 digest that is signed.
    /// @param consent The consent.
    /// @return The digest.
    function hashConsent(Consent calldata consent) external view returns (bytes32);

    /// @notice The longest consent, and the furthest that one may start ahead, fixed at deployment.
    /// @return Seconds.
    function MAX_SPAN() external view returns (uint40);
}
