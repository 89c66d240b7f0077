"""Credentials and TLS of NATS connections (07 §15.2)."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from fanjet.config.tree.broker import BrokerNats
from fanjet.engines.interfaces import EngineUnavailable
from fanjet.engines.nats import NatsConnection
from tests.support.certificates import issue
from tests.support.nats import Nats
from tests.support.server import free_port
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

USERS = "authorization { users = [ { user: 'a b', password: 'p@ss:/' } ] }\n"
LOGIN = "a%20b:p%40ss%3A%2F"


def nats_with(folder: Path, config: str, *words: str) -> Nats:
    folder.mkdir(exist_ok=True)
    (folder / "conf").write_text(config)
    server = Nats(folder, "-c", str(folder / "conf"), *words)
    server.start()
    return server


@asynccontextmanager
async def connected(url: str, **more: Any) -> AsyncIterator[NatsConnection]:
    connection = NatsConnection(BrokerNats.model_validate({"url": url, "prefix": "p", **more}), "me")
    await connection.start()
    try:
        yield connection
    finally:
        await connection.close()


async def test_user_and_password_may_be_percent_encoded(tmp_path: Path) -> None:
    server = nats_with(tmp_path, USERS)
    try:
        async with connected(f"nats://{LOGIN}@127.0.0.1:{server.port},") as connection:
            await connection.publish("news", b"1")
    finally:
        server.stop()


async def test_announced_servers_get_the_credentials_too(tmp_path: Path) -> None:
    route = free_port()
    cluster = ("--cluster_name", "c", "--cluster", f"nats://127.0.0.1:{route}")
    one = nats_with(tmp_path / "one", USERS, *cluster)
    routed = ("--cluster_name", "c", "--cluster", f"nats://127.0.0.1:{free_port()}")
    two = nats_with(tmp_path / "two", USERS, *routed, "--routes", f"nats://127.0.0.1:{route}")
    try:
        async with connected(f"nats://{LOGIN}@127.0.0.1:{one.port}") as connection:

            async def is_received(number: int) -> bool:
                with suppress(EngineUnavailable):
                    await connection.publish("news", b"%d" % number)
                return not connection.outage and bool(news)

            news: list[bytes] = []
            await connection.subscribe("news", lambda _, payload: news.append(payload), lambda: None)
            await until(lambda: is_received(1))

            async def two_is_known() -> bool:
                return any(str(two.port) in server.netloc for server in connection._client.servers)

            await until(two_is_known)
            await asyncio.to_thread(one.stop, signal.SIGKILL)
            news.clear()
            await until(lambda: is_received(2))
    finally:
        one.stop()
        two.stop()


@pytest.mark.parametrize("how", ["configuration", "scheme"])
async def test_nothing_is_sent_unencrypted_where_tls_is_requested(tmp_path: Path, how: str) -> None:
    server = nats_with(tmp_path, USERS)
    tls = {"tls": {"enabled": True, "server_ca_pem": issue().certificate}} if how == "configuration" else {}
    scheme = "nats" if how == "configuration" else "tls"
    try:
        with pytest.raises(EngineUnavailable, match="secure connection not available"):
            async with connected(f"{scheme}://{LOGIN}@127.0.0.1:{server.port}", **tls):
                pass
    finally:
        server.stop()


async def test_tls_is_used_where_it_is_optional(tmp_path: Path) -> None:
    pair, monitor = issue(), free_port()
    for name, pem in (("cert", pair.certificate), ("key", pair.key)):
        (tmp_path / name).write_text(pem)
    files = f"cert_file: '{tmp_path}/cert', key_file: '{tmp_path}/key'"
    server = nats_with(tmp_path, f"tls {{ {files} }}\nallow_non_tls: true\nhttp: '127.0.0.1:{monitor}'\n")
    tls = {"enabled": True, "server_ca_pem": pair.certificate, "server_name": "localhost"}
    try:
        async with connected(f"nats://127.0.0.1:{server.port}", tls=tls), aiohttp.ClientSession() as http:
            answer = await http.get(f"http://127.0.0.1:{monitor}/connz")
            [connection] = (await answer.json(content_type=None))["connections"]
        assert connection["tls_version"]
    finally:
        server.stop()
