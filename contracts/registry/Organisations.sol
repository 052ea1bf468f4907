// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IOrganisations} from "../interfaces/IOrganisations.sol";
import {NonceKeys} from "../libraries/NonceKeys.sol";
import {Roles} from "../libraries/Roles.sol";
import {Controllers} from "./Controllers.sol";

/// @title Organisations
/// @notice Which organisations belong, with what roles, keys and profiles. See {IOrganisations}.
abstract contract Organisations is IOrganisations, Controllers {
    /* CONSTANTS */

    bytes32 private constant PUBLICATION =
        keccak256("Publication(address account,bytes32 key,bytes32 profile,uint64 nonce,uint40 deadline)");

    /* IMMUTABLES */

    /// @inheritdoc IOrganisations
    address public immutable CONSORTIUM;

    /// @inheritdoc IOrganisations
    uint40 public immutable EMERGENCY_DELAY;

    /* STORAGE */

    /// @inheritdoc IOrganisations
    uint256 public activeMembers;

    mapping(address account => Organisation) private _organisations;

    /* CONSTRUCTOR */

    constructor(address consortium, uint40 emergencyDelay) {
        CONSORTIUM = consortium;
        if (emergencyDelay > type(uint32).max) revert InvalidEmergencyDelay(emergencyDelay);
        EMERGENCY_DELAY = emergencyDelay;
    }

    /* MODIFIERS */

    modifier onlyConsortium() {
        if (msg.sender != CONSORTIUM) revert NotConsortium(msg.sender);
        _;
    }

    /* GOVERNED BY THE CONSORTIUM */

    /// @inheritdoc IOrganisations
    function admit(
        address account,
        address by,
        uint32 roles,
        bytes32 key,
        bytes32 profile,
        uint40 deadline,
        bytes calldata signature
    ) external onlyConsortium {
        if (_organisations[account].admitted) revert AlreadyAdmitted(account);
        _checkPublication(account, by, key, deadline);
        uint64 nonce = uint64(_useNonce(account, NonceKeys.PUBLISH));
        _checkSignature(by, _publicationHash(account, key, profile, nonce, deadline), signature);

        uint40 emergencyFrom = _emergencyFrom(0, 0, roles);
        _organisations[account] = Organisation({
            roles: roles,
            admitted: true,
            suspended: false,
            emergencyFrom: emergencyFrom,
            key: key,
            profile: profile
        });
        _countMember(account, false);
        emit OrganisationAdmitted(account, by, roles, key, profile, emergencyFrom);
    }

    /// @inheritdoc IOrganisations
    function suspend(address account) external onlyConsortium {
        Organisation storage organisation = _admitted(account);
        if (organisation.suspended) revert AlreadySuspended(account);
        bool wasMember = hasRole(account, Roles.MEMBER);

        organisation.suspended = true;
        _countMember(account, wasMember);
        emit OrganisationSuspended(account);
    }

    /// @inheritdoc IOrganisations
    function reinstate(address account) external onlyConsortium {
        Organisation storage organisation = _admitted(account);
        if (!organisation.suspended) revert NotSuspended(account);

        organisation.suspended = false;
        _countMember(account, false);
        emit OrganisationReinstated(account);
    }

    /// @inheritdoc IOrganisations
    function setRoles(address account, uint32 roles) external onlyConsortium {
        Organisation storage organisation = _admitted(account);
        bool wasMember = hasRole(account, Roles.MEMBER);
        uint40 emergencyFrom = _emergencyFrom(organisation.roles, organisation.emergencyFrom, roles);

        organisation.roles = roles;
        organisation.emergencyFrom = emergencyFrom;
        _countMember(account, wasMember);
        emit RolesChanged(account, roles, emergencyFrom);
    }

    /* BY THE ORGANISATION ITSELF */

    /// @inheritdoc IOrganisations
    function publish(
        address account,
        address by,
        bytes32 key,
        bytes32 profile,
        uint64 nonce,
        uint40 deadline,
        bytes calldata signature
    ) external {
        Organisation storage organisation = _admitted(account);
        _checkPublication(account, by, key, deadline);
        _checkSigned(by, _publicationHash(account, key, profile, nonce, deadline), signature);
        _useCheckedNonce(account, NonceKeys.PUBLISH, nonce);

        organisation.key = key;
        organisation.profile = profile;
        emit OrganisationPublished(account, by, key, profile);
    }

    /* VIEWS */

    /// @inheritdoc IOrganisations
    function organisationOf(address account) external view returns (Organisation memory) {
        return _organisations[account];
    }

    /// @inheritdoc IOrganisations
    function isActiveOrganisation(address account) public view returns (bool) {
        Organisation storage organisation = _organisations[account];
        return organisation.admitted && !organisation.suspended;
    }

    /// @inheritdoc IOrganisations
    function hasRole(address account, uint32 role) public view returns (bool) {
        Organisation storage organisation = _organisations[account];
        if (!isActiveOrganisation(account)) return false;
        if (role & Roles.EMERGENCY != 0 && block.timestamp < organisation.emergencyFrom) return false;
        return role != 0 && organisation.roles & role == role;
    }

    /* INTERNAL */

    /// @dev Adjusts the number of active members to what `account` has become. Refuses to lose the last one.
    function _countMember(address account, bool wasMember) private {
        bool isMember = hasRole(account, Roles.MEMBER);
        if (isMember == wasMember) return;
        if (isMember) {
            ++activeMembers;
        } else {
            if (activeMembers == 1) revert LastMember(account);
            --activeMembers;
        }
    }

    /// @dev The organisation; refuses one that was never admitted.
    function _admitted(address account) private view returns (Organisation storage organisation) {
        organisation = _organisations[account];
        if (!organisation.admitted) revert NotAdmitted(account);
    }

    /// @dev What is asked of a publication beside its signature.
    function _checkPublication(address account, address by, bytes32 key, uint40 deadline) private view {
        _checkDeadline(deadline);
        _checkController(account, by);
        _checkSettled(account);
        if (key == 0) revert ZeroKey(account);
    }

    /// @dev From when the EMERGENCY role counts: later when newly given, as before when kept, zero without it.
    function _emergencyFrom(uint32 held, uint40 heldFrom, uint32 roles) private view returns (uint40) {
        if (roles & Roles.EMERGENCY == 0) return 0;
        return held & Roles.EMERGENCY != 0 ? heldFrom : uint40(block.timestamp) + EMERGENCY_DELAY;
    }

    function _publicationHash(
        address account,
        bytes32 key,
        bytes32 profile,
        uint64 nonce,
        uint40 deadline
    ) private pure returns (bytes32) {
        return keccak256(abi.encode(PUBLICATION, account, key, profile, nonce, deadline));
    }
}
