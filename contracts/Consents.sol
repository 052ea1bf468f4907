// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Authorised} from "./base/Authorised.sol";
import {EmergencyAccess} from "./consents/EmergencyAccess.sol";
import {IConsents} from "./interfaces/IConsents.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Powers} from "./libraries/Powers.sol";

/// @title Consents
/// @notice What patients consented to. See {IConsents}; emergency access has a mixin of its own.
contract Consents is IConsents, EmergencyAccess {
    /// @dev A consent in one slot: granted when `span` is not zero, else revoked when `since` is not zero.
    /// `since` is its start, or when it was revoked.
    struct Stored {
        address grantee;
        uint32 since;
        uint32 span;
        uint32 epoch;
    }

    /* IMMUTABLES AND CONSTANTS */

    bytes32 private constant CONSENT = keccak256(
        "Consent(address patient,address grantee,bytes32 terms,uint40 validFrom,uint40 validUntil,bytes32 request,uint32 epoch)"
    );
    bytes32 private constant REVOCATION = keccak256("Revocation(address patient,bytes32 consentId)");

    /// @inheritdoc IConsents
    uint40 public immutable MAX_SPAN;

    /* STORAGE */

    mapping(address patient => mapping(bytes32 consentId => Stored)) private _consents;

    /* CONSTRUCTOR */

    constructor(
        IRegistry registry,
        uint40 maxSpan,
        uint40 maxEmergency
    ) EIP712("medaccord Consents", "1") Authorised(registry) EmergencyAccess(maxEmergency) {
        if (maxSpan == 0 || maxSpan > type(uint32).max) revert InvalidMaxSpan(maxSpan);
        MAX_SPAN = maxSpan;
    }

    /* GRANTING */

    /// @inheritdoc IConsents
    function grant(Consent calldata consent, address by, bytes calldata signature) external {
        (address patient, address grantee) = (consent.patient, consent.grantee);
        bytes32 structHash = keccak256(abi.encode(CONSENT, consent));
        (uint32 epoch, uint40 until) = _authorise(patient, by, Powers.GRANT, structHash, signature);
        if (consent.epoch != epoch) revert WrongEpoch(patient, consent.epoch, epoch);
        _checkWindow(consent.validFrom, consent.validUntil);
        if (consent.validUntil > until) revert OutlivesDelegation(consent.validUntil, until);
        bytes32 id = _hashTypedDataV4(structHash);
        Status status = _statusOf(_consents[patient][id]);
        if (status != Status.NONE) revert ConsentKnown(id, status);
        if (grantee == patient) revert GranteeIsPatient(patient);
        if (!REGISTRY.isActiveOrganisation(grantee)) revert NotActiveOrganisation(grantee);

        _consents[patient][id] = Stored({
            grantee: grantee,
            since: SafeCast.toUint32(consent.validFrom),
            span: uint32(consent.validUntil - consent.validFrom), // fits, as MAX_SPAN does
            epoch: epoch
        });
        emit ConsentGranted(
            patient,
            grantee,
            id,
            by,
            consent.terms,
            consent.validFrom,
            consent.validUntil,
            consent.request,
            epoch
        );
    }

    /* REVOKING */

    /// @inheritdoc IConsents
    function revoke(address patient, address by, bytes32 consentId, bytes calldata signature) external {
        bytes32 structHash = keccak256(abi.encode(REVOCATION, patient, consentId));
        _authorise(patient, by, Powers.RESTRICT, structHash, signature);
        Stored memory stored = _consents[patient][consentId];
        if (_statusOf(stored) == Status.REVOKED) revert ConsentRevokedAlready(consentId);

        stored.since = uint32(Math.min(block.timestamp, type(uint32).max)); // never wraps to zero
        stored.span = 0;
        _consents[patient][consentId] = stored;
        emit ConsentRevoked(patient, consentId, by);
    }

    /* VIEWS */

    /// @inheritdoc IConsents
    function isActive(address patient, bytes32 consentId) external view returns (bool) {
        Stored memory stored = _consents[patient][consentId];
        return
            stored.since <= block.timestamp &&
            block.timestamp < uint256(stored.since) + stored.span &&
            stored.epoch == REGISTRY.epochOf(patient) &&
            REGISTRY.isActiveOrganisation(stored.grantee);
    }

    /// @inheritdoc IConsents
    function consentOf(
        address patient,
        bytes32 consentId
    ) external view returns (Status status, address grantee, uint40 validFrom, uint40 validUntil, uint32 epoch) {
        Stored memory stored = _consents[patient][consentId];
        validFrom = stored.since;
        return (_statusOf(stored), stored.grantee, validFrom, validFrom + stored.span, stored.epoch);
    }

    /// @inheritdoc IConsents
    function hashConsent(Consent calldata consent) external view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(CONSENT, consent)));
    }

    /* CHECKS */

    /// @dev Refuses a window that is empty, over, too long or too far ahead.
    function _checkWindow(uint40 validFrom, uint40 validUntil) private view {
        if (validUntil <= validFrom || validUntil <= block.timestamp) revert InvalidWindow(validFrom, validUntil);
        if (validUntil - validFrom > MAX_SPAN || validFrom > block.timestamp + MAX_SPAN) {
            revert ConsentTooLong(validFrom, validUntil, MAX_SPAN);
        }
    }

    /// @dev What a slot says of its id.
    function _statusOf(Stored memory stored) private pure returns (Status) {
        if (stored.span != 0) return Status.GRANTED;
        return stored.since == 0 ? Status.NONE : Status.REVOKED;
    }
}
