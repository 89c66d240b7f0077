"""Redis addresses of the configuration, in all their forms (07 §4.1, §4.2)."""

from __future__ import annotations

import ssl  # noqa: TC003 (msgspec reads the annotations)
from enum import Enum
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from fanjet.config.duration import parse_duration
from fanjet.config.errors import ConfigError
from fanjet.config.tree.tls import Tls
from fanjet.net.tls import client_context

if TYPE_CHECKING:
    from fanjet.config.tree.redis import RedisConnection

_SCHEMES: Final = ("redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "unix", "tcp")
_TRUE: Final = ("1", "t", "T", "TRUE", "true", "True")
_FALSE: Final = ("0", "f", "F", "FALSE", "false", "False")


class Mode(Enum):
    """The form of a deployment.

    `DETECT`: a single server or a cluster, found out when connecting (07 §4.3).
    """

    DETECT = "standalone"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


class Address(Struct, frozen=True):
    """A TCP address, or the path of a Unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        return self.path or (f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}")


class Login(Struct, frozen=True):
    """Timeouts in seconds, credentials and options of a connection.

    `read_only`: allow reads from a cluster replica.
    """

    connect_timeout: float
    io_timeout: float
    user: str = ""
    password: str = ""
    client_name: str = ""
    db: int = 0
    force_resp2: bool = False
    tls: ssl.SSLContext | None = None
    server_name: str = ""
    read_only: bool = False


class Target(Struct, frozen=True):
    """One shard: a Redis deployment of any form.

    With Sentinel, `seeds` are the Sentinels. `with_replicas`: replicas are discovered and may be used.
    """

    mode: Mode
    seeds: tuple[Address, ...]
    login: Login
    sentinel_login: Login
    master_name: str = ""
    with_replicas: bool = False

    def __str__(self) -> str:
        return ",".join(map(str, self.seeds))


def parse_targets(config: RedisConnection) -> list[Target]:
    """Parse the addresses of all shards, in the order that sharding depends on.

    Raises `ConfigError`, `TLSError`.
    """
    login = Login(
        connect_timeout=config.connect_timeout or 1.0,
        io_timeout=config.io_timeout or 4.0,
        user=config.user,
        password=config.password,
        client_name=config.client_name,
        db=config.db,
        force_resp2=config.force_resp2,
        tls=client_context(config.tls, "redis") if config.tls.enabled else None,
        server_name=config.tls.server_name if config.tls.enabled else "",
    )
    sentinel_login = Login(
        connect_timeout=login.connect_timeout,
        io_timeout=login.io_timeout,
        force_resp2=config.force_resp2,
        tls=client_context(config.sentinel_tls, "redis_sentinel") if config.sentinel_tls.enabled else None,
        server_name=config.sentinel_tls.server_name if config.sentinel_tls.enabled else "",
    )
    with_replicas = config.replica_client.enabled
    if config.cluster_address:
        return [
            Target(Mode.CLUSTER, _seeds(each, "Cluster"), login, sentinel_login, with_replicas=with_replicas)
            for each in config.cluster_address
        ]
    if config.sentinel_address:
        master = config.sentinel_master_name
        if not master:
            raise ConfigError("master name must be set when using Redis Sentinel")
        sentinel_login = replace(
            sentinel_login,
            user=config.sentinel_user,
            password=config.sentinel_password,
            client_name=config.sentinel_client_name,
        )
        return [
            Target(Mode.SENTINEL, _seeds(each, "Sentinel"), login, sentinel_login, master, with_replicas)
            for each in config.sentinel_address
        ]
    addresses = config.address or ("127.0.0.1:6379",)
    return [_target(each, login, sentinel_login, with_replicas=with_replicas) for each in addresses]


def _seeds(addresses: str, kind: str) -> tuple[Address, ...]:
    seeds = []
    for each in addresses.split(","):
        address = _host_and_port(each)
        if address is None:
            raise ConfigError(f"malformed Redis {kind} address: {each}")
        seeds.append(address)
    return tuple(seeds)


def _host_and_port(text: str) -> Address | None:
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        return None
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        return None
    return Address(host or "127.0.0.1", int(port))


def _target(address: str, login: Login, sentinel_login: Login, *, with_replicas: bool) -> Target:
    """Parse one element of `address`: a URL or `host:port`."""
    if not any(address.startswith(f"{scheme}://") for scheme in _SCHEMES):
        plain = _host_and_port(address)
        if plain is None or address.startswith(":"):
            raise ConfigError("malformed connection address, must be Redis URL or host:port")
        return Target(Mode.DETECT, (plain,), login, sentinel_login, with_replicas=with_replicas)
    try:
        url = urlsplit(address)
    except ValueError as error:
        raise ConfigError(f"malformed connection address, not a valid URL: {error}") from error
    query = parse_qs(url.query, keep_blank_values=True)
    master = query.get("sentinel_master_name", [""])[0]
    mode = _mode(url.scheme, master)
    if mode is Mode.SENTINEL and not master:
        raise ConfigError("sentinel master name must be configured for Redis Sentinel setup")
    return Target(
        mode,
        (_first_seed(url), *map(_further_seed, query.get("addr", ()))),
        _login_for_url(login, url, query),
        _sentinel_login_for_url(sentinel_login, url, query),
        master,
        _flag(query, "replica_client_enabled") if "replica_client_enabled" in query else with_replicas,
    )


def _mode(scheme: str, master: str) -> Mode:
    if scheme.endswith("+sentinel") or master:
        return Mode.SENTINEL
    return Mode.CLUSTER if scheme == "redis+cluster" else Mode.DETECT


def _first_seed(url: SplitResult) -> Address:
    if url.scheme == "unix":
        return Address(path=url.netloc.rpartition("@")[2] + unquote(url.path))
    return _further_seed(url.netloc.rpartition("@")[2])


def _further_seed(text: str) -> Address:
    address = _host_and_port(text)
    if address is None:
        raise ConfigError(f"malformed connection address, no host:port: {text}")
    return address


def _login_for_url(login: Login, url: SplitResult, query: dict[str, list[str]]) -> Login:
    """Override the login by the parts of the URL."""
    if url.username:
        login = replace(login, user=unquote(url.username))
    if url.password is not None:
        login = replace(login, password=unquote(url.password))
    if url.path and url.scheme != "unix":
        login = replace(login, db=_database(url.path))
    if "connect_timeout" in query:
        login = replace(login, connect_timeout=_timeout(query, "connect_timeout") or login.connect_timeout)
    if "io_timeout" in query:
        login = replace(login, io_timeout=_timeout(query, "io_timeout") or login.io_timeout)
    if "force_resp2" in query:
        login = replace(login, force_resp2=_flag(query, "force_resp2"))
    return _with_tls(login, query, "tls_enabled", always=url.scheme.startswith("rediss"))


def _sentinel_login_for_url(login: Login, url: SplitResult, query: dict[str, list[str]]) -> Login:
    user, password = (query.get(name, [""])[0] for name in ("sentinel_user", "sentinel_password"))
    login = replace(login, user=user, password=password)
    return _with_tls(login, query, "sentinel_tls_enabled", always=url.scheme.startswith("rediss"))


def _with_tls(login: Login, query: dict[str, list[str]], name: str, *, always: bool) -> Login:
    """Use TLS if the URL requests it and the configuration has no TLS section.

    The certificates are the system's root certificates.
    """
    if login.tls is None and (always or (name in query and _flag(query, name))):
        return replace(login, tls=client_context(Tls(), "redis"))
    return login


def _database(path: str) -> int:
    try:
        return int(path.removeprefix("/"))
    except ValueError:
        text = f"can't parse Redis DB number from connection address: {path} is not a number"
        raise ConfigError(text) from None


def _timeout(query: dict[str, list[str]], name: str) -> float:
    text = query[name][0]
    try:
        return parse_duration(text)
    except ValueError:
        raise ConfigError(f'invalid {name.replace("_", " ")}: "{text}"') from None


def _flag(query: dict[str, list[str]], name: str) -> bool:
    text = query[name][0]
    if text not in _TRUE + _FALSE:
        raise ConfigError(f'invalid {name} value: "{text}"')
    return text in _TRUE
