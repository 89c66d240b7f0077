"""`fanjet doctor`: diagnoses a server, its configuration and its environment."""

import json
from dataclasses import asdict

import typer

from fanjet.cli.doctor_checks import FAIL, OK, findings
from fanjet.cli.options import load_or_fail
from fanjet.cli.remote import DEFAULT_CONFIG, AsJson, ConfigFile, Key, Url, remote

MARKS = {"ok": "  ok ", "warn": "warn ", "fail": "FAIL "}


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("doctor")
    def doctor(url: Url = "", key: Key = "", config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
        """Look for what is wrong with a server, its configuration and its surroundings."""
        failed = False
        for finding in findings(load_or_fail(config, "error getting config"), remote(url, key, config)):
            failed = failed or finding.level == FAIL
            if as_json:
                print(json.dumps(asdict(finding)))
                continue
            print(f"{MARKS[finding.level]}{finding.subject}: {finding.text}")
            if finding.level != OK and finding.advice:
                print(f"       → {finding.advice}")
        raise typer.Exit(1 if failed else 0)
