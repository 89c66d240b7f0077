"""The command line of `fanjet bench`."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from fanjet.bench.scenarios import SCENARIOS
from fanjet.cli.bench import register


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return app


def test_scenarios_can_be_listed(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["bench", "--list"])
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()] == [scenario.name for scenario in SCENARIOS]


def test_the_configuration_can_be_printed(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["bench", "--print-config"])
    assert json.loads(result.output)["http_server"]["port"] == 8000


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["no-such-scenario"], id="unknown scenario"),
        pytest.param(["--url", "127.0.0.1:8000"], id="url without pid"),
        pytest.param(["--url", "8000", "--pid", "1"], id="url without host"),
        pytest.param(["--rounds", "0"], id="no rounds"),
    ],
)
def test_a_wrong_invocation_ends_with_status_2(app: typer.Typer, arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["bench", *arguments]).exit_code == 2


def test_a_server_that_fails_makes_status_1_and_is_named_in_table_and_json(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    arguments = ["bench", "fanout", "--quick", "--server", "no-such-command", "--json", str(file)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "server failed: cannot start no-such-command" in result.output
    kernel, fanout = json.loads(file.read_text())["results"]
    assert kernel["outcomes"][0]["rounds"]
    assert fanout["outcomes"][0]["error"]
