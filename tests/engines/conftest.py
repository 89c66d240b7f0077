"""A recorder of broker events, and Redis and NATS servers, for all engine tests."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from fanjet.protocol.publication import ClientInfo, Publication
from tests.support.nats import Nats
from tests.support.redis import Installations

DELIVERY_TIMEOUT = 5.0


@dataclass(frozen=True)
class Delivered:
    """One `on_publication` call."""

    channel: str
    publication: Publication
    epoch: str
    use_delta: bool
    previous: Publication | None


@dataclass
class Recorder:
    """Records all `RevocationEvents`. Remote engines report later: tests wait for a number of events."""

    delivered: list[Delivered] = field(default_factory=list)
    members: list[tuple[str, str, ClientInfo]] = field(default_factory=list)
    pending: int = 0
    restored: int = 0
    revoked: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def on_publication(
        self, channel: str, publication: Publication, epoch: str, *, use_delta: bool, previous: Publication | None
    ) -> None:
        self.delivered.append(Delivered(channel, publication, epoch, use_delta, previous))
        self.changed.set()

    def on_join(self, channel: str, info: ClientInfo) -> None:
        self.members.append(("join", channel, info))
        self.changed.set()

    def on_leave(self, channel: str, info: ClientInfo) -> None:
        self.members.append(("leave", channel, info))
        self.changed.set()

    def on_publication_pending(self) -> None:
        self.pending += 1

    def on_restored(self) -> None:
        self.restored += 1
        self.changed.set()

    def on_subscription_revoked(self, channel: str) -> None:
        self.revoked.append(channel)
        self.changed.set()

    async def revocations(self, count: int) -> list[str]:
        """The channels revoked so far, once there are `count`."""
        await self._reached(self.revoked, count)
        return self.revoked

    async def deliveries(self, count: int) -> list[Delivered]:
        """The publications delivered so far, once there are `count`."""
        await self._reached(self.delivered, count)
        return self.delivered

    async def joins_and_leaves(self, count: int) -> list[tuple[str, str, ClientInfo]]:
        """The joins and leaves so far, once there are `count`."""
        await self._reached(self.members, count)
        return self.members

    async def _reached(self, events: list, count: int) -> None:
        async with asyncio.timeout(DELIVERY_TIMEOUT):
            while len(events) < count:
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def events() -> Recorder:
    return Recorder()


@pytest.fixture(scope="session")
def redis_installations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installations]:
    installations = Installations(tmp_path_factory.mktemp)
    yield installations
    installations.stop()


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    server = Nats(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop()
