"""A cache of keys fetched from JWKS endpoints (03 §6.3, §15 item 7)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from fanjet.auth.errors import KeysUnavailable, TokenInvalid
from fanjet.auth.signature_verifier import Checks
from fanjet.telemetry.logging import get_logger

from .download import EndpointDown
from .endpoint import without_password
from .key_set import MalformedKeySet, read_key_set

log = get_logger(__name__)

Download = Callable[[str], Awaitable[bytes]]

LIFETIME: Final = 3600.0
"""Seconds that a key is cached after its last use."""

FETCHES_AT_ONCE: Final = 10
SECONDS_PER_FETCH: Final = 1.0
"""Rate limit of fetches from one address, as a token bucket: a burst of ten, then one per second.

Anybody can send tokens with unknown key ids. The limit delays no real key: keys are published long before their use.
"""


@dataclass(slots=True)
class _Key:
    checks: Checks
    expires: float


@dataclass(slots=True)
class _Address:
    """State of one address.

    `bucket_full_at`: when the full burst of fetches is allowed again.
    """

    bucket_full_at: float
    fetch: asyncio.Task[None] | None = None
    down: bool = False

    def try_acquire_fetch(self, now: float) -> bool:
        """Consume one allowed fetch; return whether there was one."""
        bucket_full_at = max(self.bucket_full_at, now) + SECONDS_PER_FETCH
        if bucket_full_at - now > FETCHES_AT_ONCE * SECONDS_PER_FETCH:
            return False
        self.bucket_full_at = bucket_full_at
        return True


class Keyring:
    """Keys by address and key id. `without_use`: see `read_key_set`."""

    def __init__(
        self, download: Download, clock: Callable[[], float] = time.monotonic, *, without_use: bool = False
    ) -> None:
        self._download = download
        self._clock = clock
        self._without_use = without_use
        self._keys: dict[tuple[str, str], _Key] = {}
        self._addresses: dict[str, _Address] = {}

    def find(self, url: str, key_id: str) -> Checks | None:
        """Return the cached key, or None. A hit extends its lifetime."""
        key = self._keys.get((url, key_id))
        if key is None:
            return None
        now = self._clock()
        if key.expires <= now:
            return None
        key.expires = now + LIFETIME
        return key.checks

    async def fetch(self, url: str, key_id: str) -> Checks:
        """Fetch the key from its address. Concurrent calls share one fetch.

        Raises `TokenInvalid` if the key set lacks the key, `KeysUnavailable` if the endpoint is down.
        """
        address = self._addresses.get(url)
        if address is None:
            address = self._addresses[url] = _Address(self._clock())
        if address.fetch is None and address.try_acquire_fetch(self._clock()):
            address.fetch = asyncio.get_running_loop().create_task(self._refresh(url, address))
        if address.fetch is not None:
            await asyncio.shield(address.fetch)
        key = self.find(url, key_id)
        if key is not None:
            return key
        if address.down:
            raise KeysUnavailable
        raise TokenInvalid("no key with this id at the JWKS endpoint")

    async def _refresh(self, url: str, address: _Address) -> None:
        """Store all keys of the address.

        A failure is logged and recorded in `address.down`.
        """
        try:
            keys = read_key_set(await self._download(url), without_use=self._without_use)
        except (EndpointDown, MalformedKeySet) as error:
            address.down = isinstance(error, EndpointDown)
            log.warn("error fetching key set", endpoint=without_password(url), error=error)
        else:
            address.down = False
            now = self._clock()
            self._evict_expired(now)
            self._keys.update({(url, key_id): _Key(checks, now + LIFETIME) for key_id, checks in keys.items()})
        finally:
            address.fetch = None

    def _evict_expired(self, now: float) -> None:
        """Drop expired keys, and addresses without a running fetch and with a full bucket."""
        self._keys = {location: key for location, key in self._keys.items() if key.expires > now}
        self._addresses = {url: one for url, one in self._addresses.items() if one.fetch or one.bucket_full_at > now}
