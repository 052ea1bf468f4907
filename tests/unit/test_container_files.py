"""Dockerfile, compose.yaml and docs/running.md name what there is; no container is run here."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

import medaccord
from medaccord.cli import app
from medaccord.gatekeeper.metrics import Metrics
from medaccord.settings import HOME, Settings

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
RUNNING = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")

VARIABLE = re.compile(r"\bMEDACCORD_[A-Z_]+\b")
SETTINGS = {each.variable for each in Settings.load(env_file=None).describe()}
ELSEWHERE = {"MEDACCORD_SYNTHEA", "MEDACCORD_FUZZ"}
"""Of the tests, in .env.example alone."""
SECRET = {"MEDACCORD_PRIVATE_KEY"}
"""No setting, since `.env` is no place for it."""


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


def instructions() -> list[tuple[str, str]]:
    """Instruction and arguments of each line of the Dockerfile, continued lines as one."""
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", DOCKERFILE))
    return [(line.split()[0], line.partition(" ")[2]) for line in joined.splitlines() if line]


def commands() -> list[list[str]]:
    """Every command line of ours that the files and the documentation show."""
    shown = re.findall(
        r"(?m)^\$ (?:docker compose exec gatekeeper )?medaccord (.+?)(?:  +#.*)?$", RUNNING
    )
    run = re.findall(r"(?m)^\$ docker compose run --rm gatekeeper (.+)$", RUNNING)
    return [shlex.split(each) for each in shown + run] + [
        COMPOSE["services"]["gatekeeper"]["command"]
    ]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_command_is_one_of_ours_when_it_is_shown(words: list[str]) -> None:
    command: Any = get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known


@pytest.mark.parametrize(
    "text", [DOCKERFILE, str(COMPOSE), RUNNING], ids=["image", "compose", "docs"]
)
def test_variable_is_a_setting_when_it_is_named(text: str) -> None:
    assert set(VARIABLE.findall(text)) - SETTINGS - SECRET == set()


def test_example_names_every_setting() -> None:
    assert set(VARIABLE.findall(EXAMPLE)) == SETTINGS | ELSEWHERE


def test_documentation_tells_every_setting_as_it_is() -> None:
    rows = re.findall(r"(?m)^\| `(MEDACCORD_\w+)` \| (.+?) \| (.+) \|$", RUNNING)
    expected = [
        (
            each.variable,
            "none" if each.value is None else f"`{each.value.replace(str(HOME), 'HOME')}`",
            each.meaning,
        )
        for each in Settings.load(env_file=None).describe()
    ]
    assert rows == expected


def test_documentation_tells_every_metric_and_its_labels() -> None:
    rows = re.findall(r"(?m)^\| `(medaccord_\w+)` \| (\w+) \| (.*?) \|", RUNNING)
    told = {name: (kind, re.findall(r"`(\w+)`", labels)) for name, kind, labels in rows}
    metrics = Metrics()
    made = {}
    for each in vars(metrics).values():
        if hasattr(each, "_labelnames"):
            (family,) = each.describe()
            suffix = "_total" if family.type == "counter" else ""
            made[family.name + suffix] = (family.type, list(each._labelnames))
    assert told == made


def test_image_is_built_from_what_is_there() -> None:
    for instruction, arguments in instructions():
        if instruction == "COPY" and not arguments.startswith("--from"):
            for source in arguments.split()[:-1]:
                # The package may be the installed one, and not here.
                here = Path(medaccord.__file__).parent if source == "medaccord" else ROOT / source
                assert here.exists(), source
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    taken = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        source
        for instruction, arguments in instructions()
        if instruction == "COPY" and not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    }
    assert taken == copied


def test_image_runs_as_nobody_special_and_installs_by_hash() -> None:
    found = instructions()
    assert [arguments for name, arguments in found if name == "USER"] == ["10001:10001"]
    (installed,) = [arguments for name, arguments in found if "--require-hashes" in arguments]
    assert "--no-deps" in installed
    assert ("ENTRYPOINT", '["medaccord"]') in found
    assert ("CMD", '["serve"]') in found


def test_images_are_pinned_by_version() -> None:
    tags = [each["image"] for each in COMPOSE["services"].values()]
    tags += re.findall(r"(?m)^ARG PYTHON_TAG=(.+)$", DOCKERFILE)
    assert len(tags) == len(COMPOSE["services"]) + 1
    assert all(re.search(r"\d+\.\d+", each) for each in tags), tags


def test_services_name_the_volumes_and_secrets_that_there_are() -> None:
    services = COMPOSE["services"].values()
    mounted = {each.split(":")[0] for service in services for each in service.get("volumes", ())}
    assert {each for each in mounted if not each.startswith(".")} == set(COMPOSE["volumes"])
    used = {each for service in services for each in service.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])
    for service in services:
        files = set(re.findall(r"/run/secrets/([\w-]+)", str(service.get("environment", ""))))
        assert files == set(service.get("secrets", ()))
    for secret in COMPOSE["secrets"].values():
        assert secret["file"].removeprefix("./") in RUNNING


def test_nothing_is_open_to_other_machines() -> None:
    for service in COMPOSE["services"].values():
        assert all(each.startswith("127.0.0.1:") for each in service.get("ports", ()))


def test_time_to_stop_is_no_shorter_than_what_a_stop_may_take() -> None:
    settings = Settings.load(env_file=None)
    takes = (settings.drain_time + settings.grace_time).total_seconds()
    assert int(COMPOSE["services"]["gatekeeper"]["stop_grace_period"].rstrip("s")) > takes
