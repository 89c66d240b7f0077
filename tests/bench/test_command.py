"""The command line of `fanjet bench`."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fanjet.bench.scenarios import SCENARIOS
from fanjet.cli.main import main
from tests.support.family import is_running


def test_scenarios_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [one.name for one in SCENARIOS]


def test_the_configuration_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--print-config"]) == 0
    assert json.loads(capsys.readouterr().out)["http_server"]["port"] == 8000


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param(["no-such-scenario"], "no scenario 'no-such-scenario'", id="unknown scenario"),
        pytest.param(["--url", "127.0.0.1:8000"], "both --url HOST:PORT and --pid PID", id="url without pid"),
        pytest.param(["--url", "8000", "--pid", "1"], "both --url HOST:PORT and --pid PID", id="url without host"),
        pytest.param(["--rounds", "0"], "--rounds", id="no rounds"),
    ],
)
def test_invalid_arguments_are_reported(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *arguments]) == 1
    assert problem in capsys.readouterr().err


def test_a_server_that_fails_makes_status_1_and_is_named_in_table_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    assert main(["bench", "fanout", "--quick", "--server", "no-such-command", "--json", str(file)]) == 1
    assert "server failed: cannot start no-such-command" in capsys.readouterr().out
    kernel, fanout = json.loads(file.read_text())["results"]
    assert kernel["outcomes"][0]["rounds"]
    assert fanout["outcomes"][0]["error"]


PROGRAM = "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid())); os.execv(sys.executable, sys.argv[2:])"


@pytest.mark.parametrize(("how", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_no_server_is_left_after_a_signal(tmp_path: Path, how: signal.Signals, status: int) -> None:
    pid_file = tmp_path / "pid"
    server = f'{{python}} -c "{PROGRAM}" {pid_file} {{python}} -m fanjet -c {{config}}'
    words = [sys.executable, "-m", "fanjet", "bench", "idle", "--quick", "--server", server]
    before = signal.signal(how, signal.SIG_DFL)  # ignored where tests run in the background, and so by the program
    try:
        bench = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    finally:
        signal.signal(how, before)
    with bench:
        assert bench.stderr is not None
        while b"idle, server" not in bench.stderr.readline():
            pass
        while not pid_file.exists() or not pid_file.read_text():
            assert bench.poll() is None
            time.sleep(0.02)
        bench.send_signal(how)
        assert bench.wait(30) == status
    assert not is_running(int(pid_file.read_text()))
