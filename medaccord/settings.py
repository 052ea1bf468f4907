"""Every setting of medaccord, in one place: flags first, then the environment, then `.env`.

A setting `rpc_url` is the flag `--rpc-url` and the variable ``MEDACCORD_RPC_URL``. No secret is a
setting but what an address of a database or a node may hold; passphrases are in files, whose names
are settings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

import typer
from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    SettingsConfigDict,
)

from medaccord.core.errors import InvalidIdentifier, InvalidSetting
from medaccord.core.identifiers import Address, Digest, address, hex_digest
from medaccord.core.masking import masked
from medaccord.core.sign_in import DOMAIN

__all__ = ["HOME", "Origin", "Setting", "Settings", "own_record"]

HOME: Final = Path(typer.get_app_dir("medaccord"))
"""The program's own folder of this user, where everything is unless it is said otherwise."""

_PREFIX: Final = "MEDACCORD_"
_DOT_ENV: Final = Path(".env")
_SECONDS: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")

# Shown with their secrets masked, and never quoted in an error.
_ADDRESSES: Final = ("rpc_url", "database_url", "heads_url")


def own_record(genesis_hash: Digest) -> Path:
    """The file in this user's own folder with the record of the deployment on a chain.

    Args:
        genesis_hash: hash of the chain's first block.
    """
    return HOME / "deployments" / f"{hex_digest(genesis_hash)}.json"


class Origin(Enum):
    """Where the value of a setting is from."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    DOT_ENV = ".env"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as it may be shown.

    Attributes:
        name: such as `rpc_url`.
        variable: its name in the environment and in `.env`.
        value: its value as text, with secrets masked; None where it has none.
        origin: where that is from.
        meaning: one sentence.
    """

    name: str
    variable: str
    value: str | None
    origin: Origin
    meaning: str


def _seconds(value: object) -> object:
    if isinstance(value, str) and _SECONDS.fullmatch(value.strip()):
        try:
            return timedelta(seconds=float(value))
        except OverflowError:
            raise ValueError("it should be less than three million years") from None
    return value


def _not_negative(value: timedelta) -> timedelta:
    if value < timedelta():
        raise ValueError("it should be no less than zero")
    return value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta():
        raise ValueError("it should be more than zero")
    return value


def _address(value: str) -> Address:
    try:
        return address(value)
    except InvalidIdentifier as error:
        raise ValueError("it should be 0x and 40 hex digits, in the capitals of EIP-55") from error


def _node(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it should be an address that begins with http:// or https://")
    return value


def _gatekeeper(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it should be an address that begins with https://")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("it should have neither a user nor anything after the path")
    return value.rstrip("/")


def _heads(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError("it should be an address that begins with ws:// or wss://")
    return value


def _public(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it should be an address that begins with https://")
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("it should be scheme and host alone, such as https://records.example.org")
    if not re.fullmatch(DOMAIN, parts.netloc):  # or nobody could sign in to it
        raise ValueError("its host should be ASCII: write an international name as xn--…")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _database(value: str) -> str:
    if "://" not in value:
        raise ValueError("it should be a SQLAlchemy URL, such as sqlite:///records.db")
    return value


def _expanded(value: Path) -> Path:
    if "\0" in str(value):
        raise ValueError("no name of a file has a zero in it")
    try:
        return value.expanduser()
    except RuntimeError:
        raise ValueError("it begins with the home of a user who is not known here") from None


def _networks(value: str) -> str:
    try:
        return ",".join(str(ip_network(each.strip())) for each in value.split(",") if each.strip())
    except ValueError:
        raise ValueError("it should be networks with commas, such as 10.1.0.0/16") from None


_Path = Annotated[Path, AfterValidator(_expanded)]
_Span = Annotated[timedelta, BeforeValidator(_seconds), AfterValidator(_not_negative)]
_Period = Annotated[timedelta, BeforeValidator(_seconds), AfterValidator(_positive)]
_Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """What is set. Make it with `load`, which remembers where each value is from.

    Spans of time are numbers of seconds, or ISO 8601 such as ``PT10M``.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    rpc_url: Annotated[str, AfterValidator(_node)] = Field(
        "http://127.0.0.1:8545", repr=False, description="JSON-RPC address of the node."
    )
    record: _Path | None = Field(
        None, description="Record of the deployment; one a chain in the program's own folder."
    )
    chain_id: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Chain that the node must be on; any that has the deployment."
    )
    confirmations: Annotated[int, Field(ge=0)] = Field(
        0, description="Blocks on top before a permit counts; 0 where blocks are final at once."
    )
    block_period: _Period | None = Field(
        None, description="Time between blocks, where the network keeps one."
    )
    database_url: Annotated[str, AfterValidator(_database)] = Field(
        f"sqlite:///{HOME / 'records.db'}", repr=False, description="Database of the gatekeeper."
    )
    keys_folder: _Path = Field(
        HOME / "keys", description="Patients' keys, apart from the database and its backups."
    )
    keys_passphrase_file: _Path | None = Field(
        None, description="File with the passphrase of the patients' keys, mode 0600."
    )
    keystore: _Path = Field(HOME / "keystore", description="Encrypted keys of accounts.")
    wallet: _Path = Field(HOME / "wallet", description="A person's wallet: one phrase, encrypted.")
    gatekeeper: Annotated[str, AfterValidator(_gatekeeper)] | None = Field(
        None, repr=False, description="Address of the gatekeeper that commands speak to."
    )
    account: Annotated[str, AfterValidator(_address)] | None = Field(
        None, description="Account whose key signs."
    )
    passphrase_file: _Path | None = Field(
        None, description="File with the passphrase of the account or the wallet, mode 0600."
    )
    steward: Annotated[str, AfterValidator(_address)] | None = Field(
        None, description="Organisation whose records these are; the account unless it is set."
    )
    poll_interval: _Span = Field(
        timedelta(seconds=0.5), description="How long an answer of the node is good."
    )
    log_interval: _Period = Field(
        timedelta(minutes=10), description="How often the audit logs are anchored."
    )
    label_table: _Path | None = Field(
        None, description="Table of sensitivity labels by code; the one of the package."
    )
    unlabelled: Literal["restricted", "normal"] = Field(
        "restricted", description="What a record without any label counts as."
    )

    host: Annotated[str, Field(min_length=1)] = Field(
        "127.0.0.1", description="Interface that `serve` listens on."
    )
    port: _Port = Field(8080, description="Port that `serve` listens on; 0 takes any free one.")
    public_url: Annotated[str, AfterValidator(_public)] | None = Field(
        None, description="Address that people sign in to; host and port unless it is set."
    )
    unsafe_http: bool = Field(
        False, description="Let people sign in without TLS from other machines; for trials alone."
    )
    workers: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="Processes that answer; more than one on PostgreSQL only."
    )
    heads_url: Annotated[str, AfterValidator(_heads)] | None = Field(
        None, repr=False, description="Where the node tells of new blocks, `ws://…`."
    )
    webhook_networks: Annotated[str, AfterValidator(_networks)] | None = Field(
        None,
        description="Networks of the steward's own that notices may be posted to, with commas.",
    )
    metrics_host: Annotated[str, Field(min_length=1)] = Field(
        "127.0.0.1", description="Interface that `/metrics` is on."
    )
    metrics_port: _Port | None = Field(
        None, description="Port that `/metrics` is on; the one after `port` unless it is set."
    )
    drain_time: _Span = Field(
        timedelta(seconds=2), description="How long `/ready` says so before a stop."
    )
    grace_time: _Period = Field(
        timedelta(seconds=20), description="How long answers under way may take after that."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least that the service's log tells."
    )
    log_format: Literal["json", "text"] = Field(
        "json", description="Form of a line of the service's log."
    )

    _origins: Mapping[str, Origin] = PrivateAttr(default_factory=dict)

    @classmethod
    def load(cls, *, env_file: Path | None = _DOT_ENV, **flags: object) -> Self:
        """Find every setting: the flag, else the environment, else `.env`, else the default.

        Args:
            env_file: the file read last, if it is there; None reads none.
            **flags: settings by name, as the command line has them; None where it was not given.

        Raises:
            InvalidSetting: a value is malformed or out of bounds; it names each, never a secret.
        """
        unknown = sorted(flags.keys() - cls.model_fields.keys())
        if unknown:
            raise TypeError(f"no settings: {', '.join(unknown)}")
        try:
            found = (
                (Origin.FLAG, {name: value for name, value in flags.items() if value is not None}),
                (Origin.ENVIRONMENT, EnvSettingsSource(cls)()),
                (Origin.DOT_ENV, DotEnvSettingsSource(cls, env_file=env_file)()),
            )
        except (OSError, UnicodeError) as error:
            raise InvalidSetting(f"{env_file} cannot be read: it should be UTF-8 text") from error
        values: dict[str, Any] = {}
        origins: dict[str, Origin] = {}
        for origin, each in reversed(found):
            known = {name: value for name, value in each.items() if name in cls.model_fields}
            values |= known
            origins |= dict.fromkeys(known, origin)
        try:
            settings = cls(**values)
        except ValidationError as error:
            raise InvalidSetting(_told(error, origins)) from None  # it quotes the values
        settings._origins = origins
        return settings

    def record_of(self, genesis_hash: Digest) -> Path:
        """The file with the record of the deployment on a chain, there or not.

        Args:
            genesis_hash: of the chain; it names the file where none is set.
        """
        return self.record or own_record(genesis_hash)

    def require_chain(self, chain_id: int) -> None:
        """Refuse a node of another chain than the one that is set.

        Raises:
            InvalidSetting: another one is set.
        """
        if self.chain_id not in (None, chain_id):
            raise InvalidSetting(
                f"the node is on chain {chain_id}, and MEDACCORD_CHAIN_ID says {self.chain_id}:"
                " name the node or the chain that is meant"
            )

    def describe(self) -> tuple[Setting, ...]:
        """Each setting with where it is from, secrets masked, in the order of this class."""
        return tuple(
            Setting(
                name=name,
                variable=_variable(name),
                value=_shown(name, getattr(self, name)),
                origin=self._origins.get(name, Origin.DEFAULT),
                meaning=field.description or "",
            )
            for name, field in type(self).model_fields.items()
        )


def _shown(name: str, value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    return masked(str(value)) if name in _ADDRESSES else str(value)


def _variable(name: str) -> str:
    return f"{_PREFIX}{name.upper()}"


def _told(error: ValidationError, origins: Mapping[str, Origin]) -> str:
    """Every bad value in one line: how it was given, what it is unless secret, what is wrong."""
    problems = []
    for found in error.errors(include_url=False, include_context=False):
        name = str(found["loc"][0])
        given = {
            Origin.FLAG: f"--{name.replace('_', '-')}",
            Origin.DOT_ENV: f"{_variable(name)} in .env",
        }.get(origins.get(name, Origin.DEFAULT), _variable(name))
        value = "" if name in _ADDRESSES else f" is {str(found['input'])!r}"
        problem = found["msg"].removeprefix("Value error, ")
        problems.append(f"{given}{value}: {problem[:1].lower()}{problem[1:]}")
    return "; ".join(problems)
