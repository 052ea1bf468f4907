"""``medaccord org``: the organisations of a network, and what its members decide about them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from medaccord.chain.deployment import Contracts
from medaccord.cli import motions
from medaccord.cli.acting import (
    Flags,
    acting,
    acting_provider,
    acts,
    connected,
    governs,
    looks,
    settings_of,
)
from medaccord.cli.done import waiting
from medaccord.cli.output import JsonOption, say
from medaccord.cli.own_files import written
from medaccord.cli.passphrases import passphrase
from medaccord.cli.profiles import (
    GatekeeperOption,
    KeyOption,
    NameOption,
    ProfileOption,
    described,
    kept_beside,
    read_profile,
)
from medaccord.cli.times import end_of
from medaccord.client import Admission, Consortium, Organisation
from medaccord.client.directory import organisation_of
from medaccord.client.wishes import AdmissionWish
from medaccord.core.documents import instant_text
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import Address, Digest, address, digest, hex_digest
from medaccord.keys import Keystore, LocalSigner

app = typer.Typer(
    no_args_is_help=True,
    help="The organisations of a network, and what its members decide about them.",
)


_DAYS: Final = 7
"""How long a wish is open, unless it is said otherwise."""


app.command("propose")(motions.propose)
app.command("approve")(motions.approve)
app.command("withdraw")(motions.withdraw)
app.command("execute")(motions.execute)


@app.command("wish")
@governs
def wish(
    flags: Flags,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What to write; hand it to a member.")
    ],
    profile: ProfileOption = None,
    name: NameOption = None,
    gatekeeper: GatekeeperOption = None,
    key: KeyOption = None,
    days: Annotated[
        int, typer.Option("--days", min=1, help="How long the members have to admit it.")
    ] = _DAYS,
    as_json: JsonOption = False,
) -> None:
    """Sign the wish of an organisation to be admitted, with the key of its account."""
    public = None if key is None else digest(key)
    actor, contracts = acting(flags), connected(flags)
    organisation = described(contracts.account_id(actor.account), profile, name, gatekeeper)
    profile_file = kept_beside(organisation, file) if profile is None else profile
    wished = AdmissionWish(
        admission=Admission.sign(
            contracts,
            actor.signer,
            key=_fresh_key(flags) if public is None else public,
            profile=organisation.hash,
            account=actor.account,
            deadline=end_of(None, days, contracts.network.clock()),
        ),
        organisation=organisation,
    )
    with written(file) as out:
        out.write(wished.to_file())
    deadline = instant_text(wished.admission.deadline)
    say(
        {
            "file": str(file),
            "account": wished.account,
            "name": organisation.name,
            "profileFile": str(profile_file),
            "deadline": deadline,
        },
        [
            f"{file}: hand it to a member, who proposes to admit {organisation.name} until"
            f" {deadline}.",
            "Once admitted, bring your name to each gatekeeper:"
            f" `medaccord org publish {profile_file}`",
        ],
        as_json=as_json,
    )


@app.command("publish")
@acts
def publish(
    flags: Flags,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The organisation's public profile, JSON.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Register a profile unless it is in force already, and bring it to a gatekeeper."""
    profile = read_profile(file)
    with acting_provider(flags) as provider, waiting():
        registered = _in_force(connected(flags), provider.account)
        receipt = None
        if profile.hash == registered:
            provider.directory.publish(profile)
        else:
            receipt = provider.publish(profile)
    say(
        {
            "account": profile.account.address,
            "profile": hex_digest(profile.hash),
            "receipt": None if receipt is None else receipt.document(),
        },
        f"The profile of {profile.name} is in force, and the gatekeeper has it.",
        as_json=as_json,
    )


@app.command("list")
@looks
def list_(
    flags: Flags,
    of_motions: Annotated[
        bool, typer.Option("--motions", help="The motions that are open, instead.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the organisations that were admitted, as they stand now; needs no key."""
    seat = _visitor(flags)
    if of_motions:
        motions.list_motions(seat, as_json=as_json)
        return
    found = seat.organisations()
    say(
        {"organisations": [_organisation(each) for each in found]},
        map(_organisation_line, found),
        as_json=as_json,
    )


@app.command("show")
@looks
def show(
    flags: Flags,
    what: Annotated[
        str,
        typer.Argument(metavar="ADDRESS|MOTION", help="An organisation, or a motion that is open."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Show an organisation, or an open motion and who approved it; needs no key."""
    if len(what) == len(hex_digest(digest(bytes(32)))):
        motions.show_motion(_visitor(flags), digest(what), as_json=as_json)
        return
    account = address(what)
    for each in _visitor(flags).organisations():
        if each.account == account:
            document = _organisation(each)
            say(
                document,
                (f"{name}: {_shown(document[name])}" for name in document),
                as_json=as_json,
            )
            return
    raise InvalidInput(f"{account} was never admitted here: `medaccord org list` shows who was")


def _visitor(flags: Flags) -> Consortium:
    """Somebody without a seat, who can look."""
    return Consortium(LocalSigner.create(), connected(flags))


def _in_force(contracts: Contracts, account: Address) -> Digest:
    """Hash of the profile that the registry has for an organisation."""
    return digest(bytes(organisation_of(contracts, account)["profile"]))


def _fresh_key(flags: Flags) -> Digest:
    """Make an X25519 key in the keystore, under the passphrase of the account."""
    settings = settings_of(flags)
    chosen = passphrase(
        "the new X25519 key",
        file=settings.passphrase_file,
        descriptor=flags.get("passphrase_fd"),
        new=True,
    )
    return Keystore(settings.keystore).create_x25519(chosen)


def _organisation(organisation: Organisation) -> dict[str, Any]:
    since = organisation.emergency_from
    return {
        "account": organisation.account,
        "roles": motions.role_names(organisation.roles),
        "suspended": organisation.suspended,
        "emergencyFrom": None if since is None else instant_text(since),
        "key": hex_digest(organisation.key),
        "profile": hex_digest(organisation.profile),
    }


def _organisation_line(organisation: Organisation) -> str:
    state = "suspended" if organisation.suspended else "active"
    return f"{organisation.account}\t{state}\t{', '.join(motions.role_names(organisation.roles))}"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return {True: "yes", False: "no", None: "-"}.get(value, str(value))  # type: ignore[call-overload,no-any-return]  # any value may be asked for
