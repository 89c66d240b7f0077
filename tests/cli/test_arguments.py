"""The contract's syntax of flags (04 §1.6)."""

import pytest

from fanjet.cli.arguments import CommandFlag, FlagSet, UsageError, rewrite, split_command

USER = CommandFlag("--user", "string", "-u, --user")
TTL = CommandFlag("--ttl", "int", "-t, --ttl")
QUIET = CommandFlag("--quiet", "bool", "-q, --quiet")
HEALTH = CommandFlag("--health.enabled", "bool", "--health.enabled", keeps_value=True)
PIN = CommandFlag("--pin", "bool", "--pin", off="--no-pin")
FLAGS = FlagSet(
    {
        "--user": USER,
        "-u": USER,
        "--ttl": TTL,
        "-t": TTL,
        "--quiet": QUIET,
        "-q": QUIET,
        "--health.enabled": HEALTH,
        "--pin": PIN,
    }
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(["--user", "42"], ["--user=42"], id="value-follows"),
        pytest.param(["--user=42"], ["--user=42"], id="value-after-equals"),
        pytest.param(["--user="], ["--user="], id="empty-value"),
        pytest.param(["--user", "--quiet"], ["--user=--quiet"], id="value-that-looks-like-a-flag"),
        pytest.param(["-u", "42"], ["--user=42"], id="short"),
        pytest.param(["-u=42"], ["--user=42"], id="short-with-equals"),
        pytest.param(["-u42"], ["--user=42"], id="short-with-value-attached"),
        pytest.param(["-qt", "-1"], ["--quiet", "--ttl=-1"], id="bundle"),
        pytest.param(["-t", "0x10"], ["--ttl=16"], id="integer-with-base"),
        pytest.param(["--quiet=false"], [], id="switch-off"),
        pytest.param(["-q=true"], ["--quiet"], id="short-switch-with-value"),
        pytest.param(["--pin=F"], ["--no-pin"], id="switch-with-a-flag-for-off"),
        pytest.param(["--health.enabled"], ["--health.enabled=true"], id="switch-that-keeps-its-value"),
        pytest.param(["--health.enabled=0"], ["--health.enabled=false"], id="switch-that-keeps-false"),
        pytest.param(["--quiet", "true"], ["--quiet", "--", "true"], id="a-word-after-a-switch-is-an-argument"),
        pytest.param(["a", "--quiet", "b"], ["--quiet", "--", "a", "b"], id="mixed"),
        pytest.param(["--", "--user"], ["--", "--user"], id="end-of-flags"),
        pytest.param(["-"], ["--", "-"], id="a-dash-is-an-argument"),
        pytest.param(["-h"], ["--help"], id="help"),
    ],
)
def test_flags_are_rewritten(given, expected):
    assert rewrite(given, FLAGS) == expected


@pytest.mark.parametrize(
    ("given", "text"),
    [
        pytest.param(["--x"], "unknown flag: --x", id="long"),
        pytest.param(["--x=1"], "unknown flag: --x", id="long-with-value"),
        pytest.param(["-qx"], "unknown shorthand flag: 'x' in -qx", id="short"),
        pytest.param(["--user"], "flag needs an argument: --user", id="no-value"),
        pytest.param(["-qu"], "flag needs an argument: 'u' in -qu", id="short-without-value"),
        pytest.param(["--ttl=x"], 'invalid argument "x" for "-t, --ttl" flag: "x" is not an integer', id="integer"),
        pytest.param(
            ["--quiet=yes"], 'invalid argument "yes" for "-q, --quiet" flag: "yes" is not a boolean', id="bool"
        ),
    ],
)
def test_wrong_usage_is_named(given, text):
    with pytest.raises(UsageError) as error:
        rewrite(given, FLAGS)
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param([], ("", []), id="nothing"),
        pytest.param(["-u", "run"], ("", ["-u", "run"]), id="value-is-no-command"),
        pytest.param(["run", "--x"], ("run", ["--x"]), id="first"),
        pytest.param(["-u", "a", "run", "b"], ("run", ["-u", "a", "b"]), id="behind-a-flag-with-value"),
        pytest.param(
            ["--user=a", "--health.enabled", "run"], ("run", ["--user=a", "--health.enabled"]), id="behind-switch"
        ),
    ],
)
def test_the_command_may_stand_behind_flags(given, expected):
    assert split_command(given, FLAGS, ["run"]) == expected


def test_an_unknown_command_is_named():
    with pytest.raises(UsageError, match='unknown command "true" for "fanjet"'):
        split_command(["--health.enabled", "true"], FLAGS, ["run"])
