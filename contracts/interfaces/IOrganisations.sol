// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title IOrganisations
/// @notice The organisations that the consortium admitted, with their roles, keys and profiles.
/// @dev Suspension takes an organisation's consents, emergency access and roles at once, and gives them back when it is
/// reinstated. It never stops what an organisation logs.
interface IOrganisations {
    /// @notice An organisation as the consortium and itself last left it. The first four fields share a slot.
    /// @param roles What it was admitted for, as a mask of {Roles}.
    /// @param admitted Whether it was ever admitted.
    /// @param suspended Whether it is suspended now.
    /// @param emergencyFrom When its EMERGENCY role takes effect, inclusive, in Unix time; zero without that role.
    /// @param key Its X25519 public key, for what is encrypted to it.
    /// @param profile The hash of its public profile document.
    struct Organisation {
        uint32 roles;
        bool admitted;
        bool suspended;
        uint40 emergencyFrom;
        bytes32 key;
        bytes32 profile;
    }

    /// @notice Thrown at deployment when the delay of the EMERGENCY role does not fit 32 bits.
    /// @param emergencyDelay What was named, in seconds.
    error InvalidEmergencyDelay(uint40 emergencyDelay);

    /// @notice Thrown when another than the consortium governs.
    /// @param sender The sender of the call.
    error NotConsortium(address sender);

    /// @notice Thrown when an account was never admitted.
    /// @param account The account.
    error NotAdmitted(address account);

    /// @notice Thrown when an account was admitted before; reinstate it or set its roles instead.
    /// @param account The account.
    error AlreadyAdmitted(address account);

    /// @notice Thrown when an organisation to suspend is suspended.
    /// @param account The organisation.
    error AlreadySuspended(address account);

    /// @notice Thrown when an organisation to reinstate is not suspended.
    /// @param account The organisation.
    error NotSuspended(address account);

    /// @notice Thrown when the last active member would be suspended or lose its MEMBER role.
    /// @param account The last active member.
    error LastMember(address account);

    /// @notice Thrown when an organisation would be left without an encryption key.
    /// @param account The organisation.
    error ZeroKey(address account);

    /// @notice Emitted when the consortium admitted an organisation.
    /// @param account The organisation.
    /// @param by The controller of the account, which signed the publication.
    /// @param roles Its roles, as a mask of {Roles}.
    /// @param key Its X25519 public key.
    /// @param profile The hash of its profile document.
    /// @param emergencyFrom When its EMERGENCY role takes effect, in Unix time; zero without that role.
    event OrganisationAdmitted(
        address indexed account,
        address indexed by,
        uint32 roles,
        bytes32 key,
        bytes32 profile,
        uint40 emergencyFrom
    );

    /// @notice Emitted when an organisation changed its key or its profile.
    /// @param account The organisation.
    /// @param by Its controller.
    /// @param key Its X25519 public key from now on.
    /// @param profile The hash of its profile document from now on.
    event OrganisationPublished(address indexed account, address indexed by, bytes32 key, bytes32 profile);

    /// @notice Emitted when the consortium suspended an organisation.
    /// @param account The organisation.
    event OrganisationSuspended(address indexed account);

    /// @notice Emitted when the consortium reinstated an organisation.
    /// @param account The organisation.
    event OrganisationReinstated(address indexed account);

    /// @notice Emitted when the consortium set an organisation's roles.
    /// @param account The organisation.
    /// @param roles Its roles from now on, as a mask of {Roles}.
    /// @param emergencyFrom When its EMERGENCY role takes effect, in Unix time; zero without that role.
    event RolesChanged(address indexed account, uint32 roles, uint40 emergencyFrom);

    /// @notice Admits `account` with `roles`, with its own signature over its key and profile.
    /// @dev Signed: `Publication(address account,bytes32 key,bytes32 profile,uint64 nonce,uint40 deadline)`, with the
    /// account's next nonce under the key PUBLISH, which is used up.
    /// Emits {OrganisationAdmitted}.
    /// Requirements: the sender is the consortium; `account` was never admitted; `by` is its controller and no recovery
    /// of it is pending; `key` is not zero; the deadline has not passed; the signature is there, even should the
    /// consortium itself be `by`.
    /// @param account The account to admit.
    /// @param by Its controller.
    /// @param roles Its roles, as a mask of {Roles}.
    /// @param key Its X25519 public key.
    /// @param profile The hash of its profile document.
    /// @param deadline The last second at which this may happen, in Unix time.
    /// @param signature The signature of `by`.
    function admit(
        address account,
        address by,
        uint32 roles,
        bytes32 key,
        bytes32 profile,
        uint40 deadline,
        bytes calldata signature
    ) external;

    /// @notice Changes the key and the profile of an organisation, suspended or not.
    /// @dev Signed: `Publication(address account,bytes32 key,bytes32 profile,uint64 nonce,uint40 deadline)`.
    /// Emits {OrganisationPublished}.
    /// Requirements: `account` was admitted; `by` is its controller and no recovery of it is pending; `key` is not zero;
    /// `nonce` is the next under the key PUBLISH; the deadline has not passed.
    /// @param account The organisation.
    /// @param by Its controller.
    /// @param key Its X25519 public key from now on.
    /// @param profile The hash of its profile document from now on.
    /// @param nonce The next nonce of the account under the key PUBLISH, without its key.
    /// @param deadline The last second at which this may happen, in Unix time.
    /// @param signature Empty when `by` is the sender, else the signature of `by`.
    function publish(
        address account,
        address by,
        bytes32 key,
        bytes32 profile,
        uint64 nonce,
        uint40 deadline,
        bytes calldata signature
    ) external;

    /// @notice Suspends an organisation.
    /// @dev Emits {OrganisationSuspended}.
    /// Requirements: the sender is the consortium; `account` was admitted and is not suspended; it is not the last
    /// active member.
    /// @param account The organisation.
    function suspend(address account) external;

    /// @notice Lifts the suspension of an organisation.
    /// @dev Emits {OrganisationReinstated}.
    /// Requirements: the sender is the consortium; `account` was admitted and is suspended.
    /// @param account The organisation.
    function reinstate(address account) external;

    /// @notice Sets the roles of an organisation, suspended or not.
    /// @dev Emits {RolesChanged}.
    /// Requirements: the sender is the consortium; `account` was admitted; the last active member keeps MEMBER.
    /// EMERGENCY, where it was not held, takes effect {EMERGENCY_DELAY} later, so that a captured consortium is seen
    /// coming; where it was held, its time stays; where it is taken away, it starts anew when given again.
    /// @param account The organisation.
    /// @param roles Its roles from now on, as a mask of {Roles}.
    function setRoles(address account, uint32 roles) external;

    /// @notice What is known of an organisation.
    /// @param account Any address.
    /// @return The organisation; all zero when it was never admitted.
    function organisationOf(address account) external view returns (Organisation memory);

    /// @notice Whether `account` is an admitted organisation that is not suspended.
    /// @param account Any address.
    /// @return Whether it is.
    function isActiveOrganisation(address account) external view returns (bool);

    /// @notice Whether `account` is an active organisation with every role in `role`.
    /// @param account Any address.
    /// @param role The roles asked for, as a mask of {Roles}; zero is held by nobody. EMERGENCY counts from the second
    /// at which it takes effect.
    /// @return Whether it has them.
    function hasRole(address account, uint32 role) external view returns (bool);

    /// @notice How many organisations are active and hold MEMBER.
    /// @return The number, at least one once the consortium stands.
    function activeMembers() external view returns (uint256);

    /// @notice The contract that alone governs organisations, fixed at deployment.
    /// @return Its address.
    function CONSORTIUM() external view returns (address);

    /// @notice How long after it was given the EMERGENCY role takes effect, fixed at deployment.
    /// @return The delay in seconds.
    function EMERGENCY_DELAY() external view returns (uint40);
}
