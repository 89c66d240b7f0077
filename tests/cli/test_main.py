"""Which command runs, and what wrong usage says (04 §1.6, §7)."""

import re

import pytest

from fanjet.cli.main import COMMANDS


def test_version_is_one_line(fanjet):
    ran = fanjet("version")
    assert ran.status == 0
    assert re.fullmatch(r"Fanjet v\d+\.\d+\.\d+ \(Python version: \d+\.\d+\.\d+\S*\)\n", ran.out)


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("help",)])
def test_help_lists_commands_and_flags_of_the_server(fanjet, arguments):
    ran = fanjet(*arguments)
    assert ran.status == 0
    assert all(name in ran.out for name in COMMANDS)
    assert all(flag in ran.out for flag in ("--http_server.port", "--uni_grpc.port", "--health.enabled", "--config"))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(fanjet, name):
    for arguments in ((name, "-h"), ("help", name)):
        ran = fanjet(*arguments)
        assert (ran.status, ran.err) == (0, "")
        assert f"Usage: fanjet {name}" in ran.out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param(["--x"], "Error: unknown flag: --x", id="server-flag"),
        pytest.param(["version", "--x"], "Error: unknown flag: --x", id="command-flag"),
        pytest.param(["--config", "c.json", "gentoken", "--x"], "Error: unknown flag: --x", id="flag-before-command"),
        pytest.param(
            ["--debug.enabled=maybe"],
            'Error: invalid argument "maybe" for "--debug.enabled" flag: "maybe" is not a boolean',
            id="boolean",
        ),
        pytest.param(["gentoken", "-t", "x"], 'Error: invalid argument "x" for "-t, --ttl" flag: ', id="integer"),
        pytest.param(
            ["--grpc_api.port", "x"], 'Error: invalid argument "x" for "--grpc_api.port" flag: ', id="integer-of-server"
        ),
        pytest.param(["nosuch"], 'Error: unknown command "nosuch" for "fanjet"', id="command"),
        pytest.param(
            ["--health.enabled", "true"], 'Error: unknown command "true" for "fanjet"', id="word-after-switch"
        ),
        pytest.param(["--config"], "Error: flag needs an argument: --config", id="no-value"),
        pytest.param(["help", "nosuch"], 'Error: unknown help topic "nosuch"', id="help-topic"),
    ],
)
def test_wrong_usage_exits_with_status_one_and_says_how_to_get_help(fanjet, arguments, text):
    ran = fanjet(*arguments)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith(text)
    assert "help" in ran.err


def test_extra_arguments_are_ignored(fanjet):
    assert fanjet("version", "a", "b").status == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_knows_commands_and_flags(fanjet, shell):
    ran = fanjet("completion", shell)
    assert ran.status == 0
    assert "gensubtoken" in ran.out
    assert "--http_server.port" in ran.out


def test_completion_for_another_shell_is_an_error(fanjet):
    assert fanjet("completion", "tcsh").status == 1
