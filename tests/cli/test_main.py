"""What holds for every command: help, exit codes, one line per error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from swathe import errors
from swathe.cli import main as module

if TYPE_CHECKING:
    from command import Command

COMMANDS = ("detect", "plan", "query", "draw", "evaluate", "train", "export", "models", "figures")


def test_help_lists_all_commands_and_exit_codes(command: Command) -> None:
    outcome = command("--help")
    assert outcome.code == 0
    assert all(name in outcome.out for name in COMMANDS)
    assert "Exit codes" in outcome.out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(command: Command, name: str) -> None:
    outcome = command(name, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"swathe {name}" in outcome.out


def test_what_may_be_repeated_is_no_wrong_usage(command: Command) -> None:
    words = ("--area", "a", "--area", "b", "--json", "--json")
    assert "there is no store" in command("query", "nowhere", *words).err


def test_version(command: Command) -> None:
    import swathe

    assert command("--version").out == f"swathe {swathe.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["detekt"], "detekt"),
        (["models", "--colour"], "--colour"),
        (["plan"], "SOURCES"),
        (["plan", "x.tif", "--tile", "many"], "--tile"),
        (["query", "x", "--near", "1,2,3", "--near=4,5,6"], "--near: given 2 times; give it once"),
        (["query", "x", "--scene", "a", "--scene", "b"], "--scenes: given 2 times; give it once, values with commas"),
        (["plan", "x.tif", "--scales", "1,half"], "--scales 1,half"),
        (["plan", "x.tif", "--bands", "1,2.5"], "--bands 1,2.5"),
        (["query", "x", "--classes", "ship,,"], "--classes"),
        (["query", "x", "--format", "dota"], "--output"),
        (["figures", "beta"], "beta"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(command: Command, arguments: list[str], part: str) -> None:
    outcome = command(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert part in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""


LEAVES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.SwatheError)]


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_each_error_gives_its_exit_code(
    command: Command, monkeypatch: pytest.MonkeyPatch, leaf: type[errors.SwatheError]
) -> None:
    def fail() -> None:
        raise leaf("file.tif: is empty; fetch it again")

    monkeypatch.setattr("swathe.detectors.registry.list_models", fail)
    outcome = command("models")
    assert (outcome.code, outcome.err) == (leaf.exit_code, "error: file.tif: is empty; fetch it again\n")


def test_exit_codes_are_the_documented_ones() -> None:
    for leaf in LEAVES:
        assert f" {leaf.exit_code} " in module.EPILOG


def test_unexpected_error_is_one_line_without_debug(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swathe.detectors.registry.list_models", lambda: 1 / 0)
    outcome = command("models")
    assert outcome.code == 1
    assert outcome.err.startswith("error: ZeroDivisionError: division by zero")
    assert "--debug" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("arguments", [["--debug", "models"], ["models", "--debug"]])
def test_debug_shows_the_traceback(command: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setattr("swathe.detectors.registry.list_models", lambda: 1 / 0)
    outcome = command(*arguments)
    assert outcome.code == 1
    assert "Traceback" in outcome.err


def test_interruption_is_130_with_a_hint_where_work_can_be_resumed(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("swathe.detectors.registry.list_models", interrupt)
    monkeypatch.setattr("swathe.detectors.registry.resolve_model", interrupt)
    outcome = command("models")
    assert (outcome.code, outcome.err) == (130, "interrupted\n")
    outcome = command("detect", "x.tif", "-m", "buildings", "-o", "store")
    assert outcome.code == 130
    assert "run the same command again to resume" in outcome.err


@pytest.mark.parametrize("between", [0, 1, 3])
def test_an_interruption_of_compiled_code_is_one(
    command: Command, monkeypatch: pytest.MonkeyPatch, between: int
) -> None:
    def interrupted() -> None:
        cause: BaseException = KeyboardInterrupt()
        for _ in range(between):
            error = SystemError("returned a result with an exception set")
            error.__cause__, cause = cause, error
        raise SystemError("returned a result with an exception set") from cause

    monkeypatch.setattr("swathe.detectors.registry.list_models", interrupted)
    outcome = command("models")
    assert (outcome.code, outcome.err) == (130, "interrupted\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_the_standard_output_is_no_fault_of_swathe() -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-c", "from swathe.cli.main import main; raise SystemExit(main(['models']))"]
        ended = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == errors.StoreError.exit_code
    assert ended.stderr == (
        "error: the output cannot be written (No space left on device); free space, or send it elsewhere\n"
    )
