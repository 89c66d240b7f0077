"""Running commands inside the test process, in an empty directory with a clean environment."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from fanjet.cli.main import main


@dataclass
class Ran:
    """What a command did."""

    status: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def empty_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("FANJET_", "CENTRIFUGO_")):
            monkeypatch.delenv(name)


@pytest.fixture
def fanjet(capsys):
    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        status = main(arguments)
        out, err = capsys.readouterr()
        return Ran(status, out, err)

    return run


@pytest.fixture
def write(tmp_path):
    def write_(content: object, name: str = "config.json") -> Path:
        file = tmp_path / name
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return file

    return write_
