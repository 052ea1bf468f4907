"""Settings: flags before the environment before `.env`, each error named, no secret ever shown."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from medaccord.core.errors import InvalidSetting
from medaccord.settings import HOME, Origin, Settings

HOSPITAL = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [each for each in os.environ if each.upper().startswith("MEDACCORD_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(text: str) -> None:
    Path(".env").write_text(text, encoding="utf-8")


def origin(settings: Settings, name: str) -> Origin:
    return {each.name: each.origin for each in settings.describe()}[name]


def test_setting_has_its_default_when_nobody_sets_it() -> None:
    settings = Settings.load()
    assert (settings.confirmations, settings.keys_folder) == (0, HOME / "keys")
    assert {each.origin for each in settings.describe()} == {Origin.DEFAULT}


def test_dot_env_is_before_the_default() -> None:
    write("MEDACCORD_CONFIRMATIONS=1\n")
    assert Settings.load().confirmations == 1
    assert origin(Settings.load(), "confirmations") is Origin.DOT_ENV


def test_environment_is_before_dot_env(monkeypatch: pytest.MonkeyPatch) -> None:
    write("MEDACCORD_CONFIRMATIONS=1\n")
    monkeypatch.setenv("MEDACCORD_CONFIRMATIONS", "2")
    assert Settings.load().confirmations == 2
    assert origin(Settings.load(), "confirmations") is Origin.ENVIRONMENT


def test_flag_is_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    write("MEDACCORD_CONFIRMATIONS=1\n")
    monkeypatch.setenv("MEDACCORD_CONFIRMATIONS", "2")
    settings = Settings.load(confirmations=3)
    assert settings.confirmations == 3
    assert origin(settings, "confirmations") is Origin.FLAG


def test_flag_that_was_not_given_leaves_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDACCORD_CONFIRMATIONS", "2")
    assert Settings.load(confirmations=None).confirmations == 2


def test_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDACCORD_RECORD", "")
    assert Settings.load().record is None


def test_another_file_is_read_when_it_is_named() -> None:
    write("MEDACCORD_CONFIRMATIONS=1\n")
    Path("other.env").write_text("MEDACCORD_CONFIRMATIONS=5\n", encoding="utf-8")
    assert Settings.load(env_file=Path("other.env")).confirmations == 5
    assert Settings.load(env_file=None).confirmations == 0


def test_variables_of_others_are_left_alone() -> None:
    write("SOLCX_BINARY_PATH=scripts/solc\nMEDACCORD_FUZZ=1\n")
    assert Settings.load() == Settings.load(env_file=None)


def test_reading_settings_does_not_change_the_environment() -> None:
    write("MEDACCORD_CONFIRMATIONS=1\n")
    Settings.load()
    assert "MEDACCORD_CONFIRMATIONS" not in os.environ


def test_networks_are_read_one_by_one_when_there_are_commas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEDACCORD_WEBHOOK_NETWORKS", " 10.1.0.0/16, fd00::/8,")
    assert Settings.load().webhook_networks == "10.1.0.0/16,fd00::/8"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", timedelta(seconds=12)),
        ("0.5", timedelta(seconds=0.5)),
        ("PT1M", timedelta(minutes=1)),
    ],
)
def test_span_is_read_as_seconds_or_as_iso_8601(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: timedelta
) -> None:
    monkeypatch.setenv("MEDACCORD_POLL_INTERVAL", text)
    assert Settings.load().poll_interval == expected


def test_home_is_put_in_for_its_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/hospital")
    assert Settings.load(keystore="~/keys").keystore == Path("/home/hospital/keys")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("confirmations", "-1", "is '-1': input should be greater than or equal to 0"),
        ("confirmations", "many", "is 'many': input should be a valid integer"),
        ("chain_id", "0", "is '0': input should be greater than or equal to 1"),
        ("block_period", "0", "is '0': it should be more than zero"),
        ("log_interval", "PT0S", "is 'PT0S': it should be more than zero"),
        ("poll_interval", "-PT1S", "is '-PT1S': it should be no less than zero"),
        ("poll_interval", "soon", "is 'soon': input should be a valid timedelta"),
        ("poll_interval", 30 * "9", ": it should be less than three million years"),
        ("keys_folder", "~nobody-here/keys", ": it begins with the home of a user who is not"),
        ("account", "0x12", "is '0x12': it should be 0x and 40 hex digits"),
        ("account", HOSPITAL.replace("f39F", "F39f"), "in the capitals of EIP-55"),
        ("webhook_networks", "10.0.0.0/8,here", "it should be networks with commas"),
        ("unlabelled", "open", "is 'open': input should be 'restricted' or 'normal'"),
        ("rpc_url", "ftp://user:hidden@node", ": it should be an address that begins with http"),
        ("database_url", "hidden", ": it should be a SQLAlchemy URL, such as sqlite:///records.db"),
    ],
)
def test_bad_value_is_named_as_it_was_given_and_no_secret_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    variable = f"MEDACCORD_{name.upper()}"
    flags: dict[str, Any] = {name: value}
    with pytest.raises(InvalidSetting) as caught:
        Settings.load(**flags)
    by_flag = caught.value.problem
    write(f"{variable}={value}\n")
    with pytest.raises(InvalidSetting) as caught:
        Settings.load()
    by_file = caught.value.problem
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSetting) as caught:
        Settings.load()
    by_environment = caught.value.problem
    assert by_flag.startswith(f"--{name.replace('_', '-')}")
    assert by_file.startswith(f"{variable} in .env")
    assert by_environment.startswith(variable)
    for told in (by_flag, by_file, by_environment):
        assert problem in told
        assert "hidden" not in told
    assert caught.value.__cause__ is None


def test_every_bad_value_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDACCORD_CHAIN_ID", "x")
    with pytest.raises(InvalidSetting) as caught:
        Settings.load(confirmations=-1)
    chain_id, confirmations = caught.value.problem.split("; ")
    assert chain_id.startswith("MEDACCORD_CHAIN_ID is 'x'")
    assert confirmations.startswith("--confirmations is '-1'")


def test_name_of_a_file_is_refused_when_no_file_can_have_it() -> None:
    write("MEDACCORD_KEYSTORE=key\0store\n")
    with pytest.raises(InvalidSetting) as caught:
        Settings.load()
    assert caught.value.problem == (
        "MEDACCORD_KEYSTORE in .env is 'key\\x00store': no name of a file has a zero in it"
    )


def test_file_is_refused_when_it_is_no_text() -> None:
    Path(".env").write_bytes(b"MEDACCORD_RECORD=\xff\n")
    with pytest.raises(InvalidSetting, match=r"\.env cannot be read: it should be UTF-8 text"):
        Settings.load()


def test_flag_that_is_no_setting_is_a_defect() -> None:
    with pytest.raises(TypeError, match="no settings: colour"):
        Settings.load(colour="red")


def test_description_names_every_setting_once() -> None:
    described = Settings.load().describe()
    assert [each.name for each in described] == list(Settings.model_fields)
    assert all(each.meaning.endswith(".") for each in described)
    assert {each.variable for each in described} >= {"MEDACCORD_RPC_URL", "MEDACCORD_RECORD"}


def test_description_shows_values_as_they_are_set() -> None:
    described = Settings.load(account=HOSPITAL, block_period="12").describe()
    shown = {each.name: each.value for each in described}
    assert (shown["account"], shown["block_period"]) == (HOSPITAL, "12 s")
    assert (shown["rpc_url"], shown["chain_id"]) == ("http://127.0.0.1:8545", None)


def test_secrets_are_in_no_description_and_no_representation() -> None:
    settings = Settings.load(
        rpc_url="https://user:hidden@node.example/v3/hidden",
        database_url="postgresql://hospital:hidden@db.example/records",
    )
    shown = f"{settings.describe()} {settings!r} {settings}"
    assert "hidden" not in shown
    assert "postgresql://hospital:***@db.example/records" in shown
    assert settings.database_url == "postgresql://hospital:hidden@db.example/records"
