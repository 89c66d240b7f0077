"""Redis of a test's own, in every form."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from typing import TYPE_CHECKING, Any, Final

import hiredis

from tests.support.redis_binaries import new_binary, old_binary, valkey_binary
from tests.support.server import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE: Final = 20.0
SLOTS: Final = 16384


class Redis(Process):
    """One server, of `binary` or what is usual here."""

    def __init__(self, folder: Path, *words: str, port: int = 0, binary: str = "") -> None:
        port = port or free_port()
        quiet = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        quick = ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"]
        super().__init__([binary or old_binary(), *quiet, *quick, *words], port, folder)

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self.port}"

    def call(self, *words: Any) -> Any:
        """Execute one command. Raises `hiredis.ReplyError`."""
        reader = hiredis.Reader(notEnoughData=self)
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
            connection.sendall(hiredis.pack_command(words))
            while (reply := reader.gets()) is self:
                reader.feed(connection.recv(65536))
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        return reply

    def freeze(self) -> None:
        """Let it do nothing, with its connections open."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def version(self) -> tuple[int, ...]:
        """Of the server that runs."""
        lines = self.call("INFO", "server").decode().splitlines()
        [text] = [line.partition(":")[2] for line in lines if line.startswith("redis_version:")]
        return tuple(int(part) for part in text.split("."))


BUS_DISTANCE: Final = 10_000


class RedisCluster:
    """Three primaries without replicas, slots shared evenly."""

    def __init__(self, folder: Path, binary: str = "") -> None:
        self.nodes = [_node(folder / str(number), binary) for number in range(3)]
        self._binary = binary

    @property
    def addresses(self) -> str:
        """All nodes, for `cluster_address`."""
        return ",".join(node.address for node in self.nodes)

    def start(self) -> None:
        """Start all, and wait until they agree that all is well."""
        for node in self.nodes:
            node.start()
        share = SLOTS // len(self.nodes) + 1
        for number, node in enumerate(self.nodes):
            node.call("CLUSTER", "ADDSLOTS", *range(number * share, min((number + 1) * share, SLOTS)))
            node.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            node.call("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        self.await_well()
        _await(lambda: all(len(node.call("CLUSTER", "SLOTS")) == len(self.nodes) for node in self.nodes))

    def stop(self) -> None:
        """Stop all."""
        for node in self.nodes:
            node.stop(signal.SIGKILL)

    def add_replica(self, primary: Redis, folder: Path) -> Redis:
        """A replica that takes over when its primary dies, and is known to all. It ends with the others."""
        replica = _node(folder, self._binary)
        replica.start()
        self.nodes.append(replica)
        replica.call("CLUSTER", "MEET", "127.0.0.1", primary.port)
        number = primary.call("CLUSTER", "MYID")

        def obeys() -> bool:
            with contextlib.suppress(hiredis.ReplyError):  # until it knows the primary
                replica.call("CLUSTER", "REPLICATE", number)
                return True
            return False

        _await(obeys)
        _await(lambda: b"master_link_status:up" in replica.call("INFO", "replication"))
        _await(lambda: all(replica.port in _ports(node.call("CLUSTER", "SLOTS")) for node in self.nodes))
        return replica

    def await_well(self) -> None:
        """Return when all think that all slots are served."""
        _await(lambda: all(b"cluster_state:ok" in node.call("CLUSTER", "INFO") for node in self.nodes))

    def owner(self, key: str) -> Redis:
        """The node that has a key."""
        slot = self.nodes[0].call("CLUSTER", "KEYSLOT", key)
        return self.nodes[slot // (SLOTS // 3 + 1)]


def _node(folder: Path, binary: str) -> Redis:
    folder.mkdir()
    words = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-config-file", "nodes.conf")
    return Redis(folder, *words, port=_port_with_bus(), binary=binary)


def _ports(slots: list[Any]) -> set[int]:
    return {node[1] for _, _, *nodes in slots for node in nodes}


def _port_with_bus() -> int:
    """A free port so that the one of the bus, which is 10 000 above, exists and is free, too."""
    while True:
        port = free_port()
        if port + BUS_DISTANCE < 65536:
            with contextlib.suppress(OSError):
                free_port(port + BUS_DISTANCE)
                return port


class RedisSentinel:
    """A primary, a replica, and a Sentinel that watches them."""

    MASTER: Final = "fanjet-test"

    def __init__(self, folder: Path, binary: str = "") -> None:
        folders = [folder / name for name in ("one", "two", "sentinel")]
        for each in folders:
            each.mkdir()
        self.one = Redis(folders[0], binary=binary)
        self.two = Redis(folders[1], "--replicaof", "127.0.0.1", str(self.one.port), binary=binary)
        self._file = folders[2] / "sentinel.conf"
        self.sentinel = Redis(folders[2])
        self.sentinel.words = [binary or old_binary(), str(self._file), "--sentinel"]

    def start(self) -> None:
        """Start all, and wait until the Sentinel knows the replica."""
        self.one.start()
        self.two.start()
        name = self.MASTER
        self._file.write_text(
            f"port {self.sentinel.port}\nbind 127.0.0.1\nsentinel monitor {name} 127.0.0.1 {self.one.port} 1\n"
            f"sentinel down-after-milliseconds {name} 1000\nsentinel failover-timeout {name} 5000\n"
        )
        self.sentinel.start()
        _await(self._is_replica_ready)

    def _is_replica_ready(self) -> bool:
        replicas = [dict(zip(each[::2], each[1::2], strict=True)) for each in self._call_sentinel("REPLICAS")]
        return [each[b"master-link-status"] for each in replicas] == [b"ok"]

    async def fail_over(self) -> bool:
        """Have the replica take over, the old primary living on. False while the Sentinel finds it not fit for that."""
        with contextlib.suppress(hiredis.ReplyError):
            self._call_sentinel("FAILOVER")
            return True
        return False

    def primary(self) -> Redis:
        """Who is the primary, as the Sentinel sees it."""
        port = int(self._call_sentinel("GET-MASTER-ADDR-BY-NAME")[1])
        return self.one if port == self.one.port else self.two

    def _call_sentinel(self, command: str) -> Any:
        return self.sentinel.call("SENTINEL", command, self.MASTER)

    def stop(self) -> None:
        """Stop all."""
        for server in (self.sentinel, self.one, self.two):
            server.stop(signal.SIGKILL)


class Installations:
    """Redis in its forms, each started when it is first wanted."""

    def __init__(self, make_folder: Callable[[str], Path]) -> None:
        self._make_folder = make_folder
        self._running: dict[str, list[Redis]] = {}
        self._configs: dict[str, dict[str, Any]] = {}
        self._stops: list[Callable[[], None]] = []

    def config(self, form: str) -> dict[str, Any]:
        """The object for `engine.redis` of an installation that is empty now."""
        if form not in self._running:
            self._start(form)
        for server in self._running[form]:
            server.call("FLUSHALL")
        return self._configs[form]

    def stop(self) -> None:
        """End them all."""
        for stop in self._stops:
            stop()

    def _start(self, form: str) -> None:
        folder = self._make_folder(f"redis-{form}")
        if form in ("cluster", "new cluster"):
            cluster = RedisCluster(folder, new_binary() if form.startswith("new") else "")
            self._take(form, cluster, cluster.nodes, {"cluster_address": [cluster.addresses]})
        elif form == "sentinel":
            sentinel = RedisSentinel(folder)
            settings = {"sentinel_address": [sentinel.sentinel.address], "sentinel_master_name": sentinel.MASTER}
            self._take(form, sentinel, [sentinel.one], settings)
        elif form in ("new", "valkey"):
            server = Redis(folder, binary=valkey_binary() if form == "valkey" else new_binary())
            self._take(form, server, [server], {"address": [server.address]})
        else:
            first, second = Redis(folder), Redis(self._make_folder("redis-second"))
            self._take("single", first, [first], {"address": [f"redis://{first.address}"]})
            addresses = [first.address, second.address]
            self._take("shards", second, [first, second], {"address": addresses})

    def _take(self, form: str, whole: Any, servers: list[Redis], config: dict[str, Any]) -> None:
        self._stops.append(whole.stop)  # first: a start that fails may leave a part running
        whole.start()
        self._running[form] = servers
        self._configs[form] = config


def _await(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "Redis did not get ready in time"
        time.sleep(0.05)
