"""The lock files name versions and hashes, and no registry: each machine uses the one that it is set up with."""

import json
import re

import pytest

from tests.support.paths import ROOT

FUNDING = re.compile(r'"url": "https://(opencollective\.com|github\.com/sponsors)/')
"""Where packages from npm ask for support."""


@pytest.mark.parametrize(
    "name", ["package-lock.json", "constraints.txt", "package.json", "pyproject.toml", "Makefile", ".npmrc"]
)
def test_no_address_of_a_registry_is_named(name: str) -> None:
    text = FUNDING.sub("", (ROOT / name).read_text())
    assert not re.findall(r"https?://", text)


def test_every_locked_npm_package_has_a_hash() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert all("integrity" in package for path, package in packages.items() if path)
