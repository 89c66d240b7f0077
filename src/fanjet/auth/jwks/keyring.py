"""The keys that were fetched, and the fetching of more (03 §6.3, §15 item 7)."""

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
"""Seconds that a key is kept after it was used last."""

FETCHES_AT_ONCE: Final = 10
SECONDS_PER_FETCH: Final = 1.0
"""Tokens are made by anybody, with key ids that do not exist. An address is asked for those this many times in a row,
then once a second: keys are published long before they are used."""


@dataclass(slots=True)
class _Key:
    checks: Checks
    expires: float


@dataclass(slots=True)
class _Address:
    """What is known about one address. `bucket_full_at`: when all fetches are allowed again, were there no more."""

    bucket_full_at: float
    fetch: asyncio.Task[None] | None = None
    down: bool = False

    def try_acquire_fetch(self, now: float) -> bool:
        """Take one of the allowed fetches, if there is one."""
        bucket_full_at = max(self.bucket_full_at, now) + SECONDS_PER_FETCH
        if bucket_full_at - now > FETCHES_AT_ONCE * SECONDS_PER_FETCH:
            return False
        self.bucket_full_at = bucket_full_at
        return True


class Keyring:
    """Keys by address and key id: the same id at another address is another key. `without_use`: see `read_key_set`."""

    def __init__(
        self, download: Download, clock: Callable[[], float] = time.monotonic, *, without_use: bool = False
    ) -> None:
        self._download = download
        self._clock = clock
        self._without_use = without_use
        self._keys: dict[tuple[str, str], _Key] = {}
        self._addresses: dict[str, _Address] = {}

    def find(self, url: str, key_id: str) -> Checks | None:
        """The key, if it is here. Being asked for keeps it here."""
        key = self._keys.get((url, key_id))
        if key is None:
            return None
        now = self._clock()
        if key.expires <= now:
            return None
        key.expires = now + LIFETIME
        return key.checks

    async def fetch(self, url: str, key_id: str) -> Checks:
        """Get the key from its address. Who asks while a fetch is under way waits for that one.

        Raises `TokenInvalid` when it is not there, `KeysUnavailable` when the address does not answer.
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
        """Take all keys of the address over. What goes wrong is logged and found in `address`."""
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
        """Drop the keys that nobody has used for long, and addresses of which nothing has to be remembered."""
        self._keys = {location: key for location, key in self._keys.items() if key.expires > now}
        self._addresses = {url: one for url, one in self._addresses.items() if one.fetch or one.bucket_full_at > now}
