"""Workers share certificates by ACME through their folder (02 §3.2)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.test_autocert import HOST, issuer_seen, needs_pebble, settings
from tests.support import pebble
from tests.support.server import free_port, merge
from tests.workers.conftest import CONFIG

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartServer

CLIENTS = 24


@needs_pebble
@pytest.mark.parametrize("at_once", [False, True], ids=["one-after-the-other", "at-once"])
async def test_workers_share_one_certificate(private_server: StartServer, tmp_path: Path, at_once: bool) -> None:
    folder = tmp_path / "pebble"
    folder.mkdir()
    port = free_port()
    authority = pebble.Pebble(folder, tls_port=port, http_port=1)
    try:
        config = settings(authority, port, cache_dir=str(tmp_path / "cache"))
        server = private_server(merge(CONFIG, config))
        if not at_once:
            await issuer_seen(port)
        seen = await asyncio.gather(*(issuer_seen(port) for _ in range(CLIENTS)))
    finally:
        authority.stop()
    assert len({certificate for _, certificate in seen}) == 1
    assert "Pebble Intermediate CA" in seen[0][0]
    assert server.log.count(f"obtained a certificate for {HOST}") == 1
    assert "no certificate for" not in server.log
