// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NoncesKeyed} from "@openzeppelin/contracts/utils/NoncesKeyed.sol";

import {Authorised} from "../base/Authorised.sol";
import {Serials} from "../base/Serials.sol";
import {IEmergencyAccess} from "../interfaces/IEmergencyAccess.sol";
import {Powers} from "../libraries/Powers.sol";
import {Roles} from "../libraries/Roles.sol";

/// @title EmergencyAccess
/// @notice Short access that an organisation opens for itself, and the patient's means against it.
/// See {IEmergencyAccess}.
abstract contract EmergencyAccess is IEmergencyAccess, Authorised, Serials, NoncesKeyed {
    /// @dev A pair's last opening and its bar, in one slot. `bans` is the patient's count when it was opened.
    struct Access {
        uint40 openedAt;
        uint40 validUntil;
        uint32 epoch;
        uint64 serial;
        uint64 bans;
        bool barred;
    }

    /// @dev A patient's ban, in one slot. `bans` counts them and only grows, so that what was open before one never returns.
    struct Ban {
        uint64 serial;
        uint64 bans;
        bool forbidden;
    }

    /* IMMUTABLES AND CONSTANTS */

    bytes32 private constant OPENING = keccak256(
        "EmergencyOpening(address patient,address grantee,bytes32 reason,uint40 validUntil,uint64 nonce,uint40 deadline)"
    );
    bytes32 private constant CLOSURE =
        keccak256("EmergencyClosure(address patient,address grantee,uint64 serial)");
    bytes32 private constant BAN = keccak256("EmergencyBan(address patient,uint64 serial)");
    bytes32 private constant ALLOWANCE =
        keccak256("EmergencyAllowance(address patient,address grantee,uint64 serial,uint40 deadline)");

    /// @inheritdoc IEmergencyAccess
    uint40 public immutable MAX_EMERGENCY;

    /* STORAGE */

    mapping(address patient => mapping(address grantee => Access)) private _accesses;
    mapping(address patient => Ban) private _bans;

    /* CONSTRUCTOR */

    constructor(uint40 maxEmergency) {
        if (maxEmergency > type(uint32).max) revert InvalidMaxEmergency(maxEmergency);
        MAX_EMERGENCY = maxEmergency;
    }

    /* OPENING */

    /// @inheritdoc IEmergencyAccess
    function openEmergency(EmergencyOpening calldata opening, address by, bytes calldata signature) external {
        (address patient, address grantee) = (opening.patient, opening.grantee);
        bytes32 structHash = keccak256(abi.encode(OPENING, opening));
        _authorise(grantee, by, Powers.EMERGENCY, structHash, signature);
        _checkDeadline(opening.deadline);
        _useCheckedNonce(grantee, uint192(uint160(patient)), opening.nonce);
        if (opening.reason == 0) revert ZeroReason();
        _checkEnd(opening.validUntil);
        if (!REGISTRY.hasRole(grantee, Roles.EMERGENCY)) revert NoEmergencyRole(grantee);
        Ban memory ban = _bans[patient];
        if (ban.forbidden) revert EmergencyForbiddenBy(patient);
        Access memory access = _accesses[patient][grantee];
        if (access.barred) revert EmergencyBarred(patient, grantee);
        uint32 epoch = REGISTRY.epochOf(patient);
        if (_stands(access, ban, epoch)) revert EmergencyOpenAlready(patient, grantee, access.validUntil);

        _accesses[patient][grantee] = Access({
            openedAt: uint40(block.timestamp),
            validUntil: opening.validUntil,
            epoch: epoch,
            serial: access.serial,
            bans: ban.bans,
            barred: false
        });
        bytes32 id = _hashTypedDataV4(structHash);
        emit EmergencyOpened(patient, grantee, id, by, opening.reason, opening.validUntil, epoch);
    }

    /* CLOSING AND FORBIDDING */

    /// @inheritdoc IEmergencyAccess
    function closeEmergency(
        address patient,
        address by,
        address grantee,
        uint64 serial,
        bytes calldata signature
    ) external {
        bytes32 structHash = keccak256(abi.encode(CLOSURE, patient, grantee, serial));
        _authorise(patient, by, Powers.RESTRICT, structHash, signature);
        Access storage access = _accesses[patient][grantee];
        _checkRestricting(serial, access.serial);

        if (block.timestamp < access.validUntil) access.validUntil = uint40(block.timestamp);
        access.serial = serial;
        access.barred = true;
        emit EmergencyClosed(patient, grantee, by, serial);
    }

    /// @inheritdoc IEmergencyAccess
    function forbidEmergency(address patient, address by, uint64 serial, bytes calldata signature) external {
        bytes32 structHash = keccak256(abi.encode(BAN, patient, serial));
        _authorise(patient, by, Powers.RESTRICT, structHash, signature);
        Ban memory ban = _bans[patient];
        _checkRestricting(serial, ban.serial);

        uint64 bans = ban.forbidden ? ban.bans : ban.bans + 1;
        _bans[patient] = Ban({serial: serial, bans: bans, forbidden: true});
        emit EmergencyForbidden(patient, by, serial);
    }

    /* ALLOWING AGAIN */

    /// @inheritdoc IEmergencyAccess
    function allowEmergency(
        address patient,
        address by,
        address grantee,
        uint64 serial,
        uint40 deadline,
        bytes calldata signature
    ) external {
        bytes32 structHash = keccak256(abi.encode(ALLOWANCE, patient, grantee, serial, deadline));
        _authorise(patient, by, Powers.GRANT, structHash, signature);
        _checkDeadline(deadline);

        if (grantee == address(0)) {
            Ban storage ban = _bans[patient];
            if (!ban.forbidden) revert NothingToAllow(patient, grantee);
            _checkPermitting(serial, ban.serial);
            ban.serial = serial;
            ban.forbidden = false;
        } else {
            Access storage access = _accesses[patient][grantee];
            if (!access.barred) revert NothingToAllow(patient, grantee);
            _checkPermitting(serial, access.serial);
            access.serial = serial;
            access.barred = false;
        }
        emit EmergencyAllowed(patient, grantee, by, serial);
    }

    /* VIEWS */

    /// @inheritdoc IEmergencyAccess
    function isEmergencyActive(address patient, address grantee) external view returns (bool) {
        return
            _stands(_accesses[patient][grantee], _bans[patient], REGISTRY.epochOf(patient)) &&
            REGISTRY.hasRole(grantee, Roles.EMERGENCY);
    }

    /// @inheritdoc IEmergencyAccess
    function emergencyOf(
        address patient,
        address grantee
    ) external view returns (uint40 openedAt, uint40 validUntil, uint32 epoch, uint64 serial, bool barred) {
        Access memory access = _accesses[patient][grantee];
        return (access.openedAt, access.validUntil, access.epoch, access.serial, access.barred);
    }

    /// @inheritdoc IEmergencyAccess
    function emergencyBanOf(address patient) external view returns (uint64 serial, bool forbidden) {
        return (_bans[patient].serial, _bans[patient].forbidden);
    }

    /* CHECKS */

    /// @dev Refuses unless now < `validUntil` <= now + MAX_EMERGENCY.
    function _checkEnd(uint40 validUntil) private view {
        uint40 latest = uint40(block.timestamp) + MAX_EMERGENCY;
        if (validUntil <= block.timestamp || validUntil > latest) revert InvalidEmergencyWindow(validUntil, latest);
    }

    /// @dev Whether an opening has not ended. A closure cuts `validUntil`, a ban counts up, a revoke-all raises the
    /// epoch; a suspension only pauses, and is not looked at here.
    function _stands(Access memory access, Ban memory ban, uint32 epoch) private view returns (bool) {
        return block.timestamp < access.validUntil && access.bans == ban.bans && access.epoch == epoch;
    }
}
