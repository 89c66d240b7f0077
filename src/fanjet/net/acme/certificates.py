"""Manages the certificates of all hosts: obtains them on demand and renews them."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ..tls import TLSError
from ..tls_acceptor import ClientHelloRejected
from .authority import Authority, AuthorityError
from .certificate import (
    CHALLENGE_PROTOCOL,
    Certificate,
    UnusableCertificate,
    challenge_certificate,
    challenge_context,
    open_certificate,
    signing_request,
)
from .failures import Failures
from .hosts import HostPolicy, HostRefused
from .keys import Key, key_from_pem, key_to_pem, new_key
from .store import ACCOUNT_KEY, Store, http_token, token_certificate

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from ..client_hello import ClientHello
    from .authority import Challenge

MAX_ORDERS: Final = 10
MAX_SLEEP: Final = 3600.0
"""Seconds between two renewal checks at most; the clock may jump meanwhile."""

RENEWAL_PAUSE: Final = (1800.0, 3600.0)
"""Range of the random pause in seconds before a failed renewal is retried."""

TLS_ALPN: Final = "tls-alpn-01"
HTTP: Final = "http-01"

log = logging.getLogger(__name__)


class Certificates:
    """Provides the SSL context of each host (an `SSLContextProvider`)."""

    def __init__(
        self,
        authority: Authority,
        hosts: HostPolicy,
        store: Store,
        *,
        default_name: str = "",
        answers_http: bool = False,
    ) -> None:
        """`default_name`: the host for clients without a server name.

        `answers_http`: http-01 challenges are served.

        Raises `ValueError` if the stored account key is invalid.
        """
        self.hosts = hosts
        self.store = store
        self._authority = authority
        self._default_name = default_name
        self._kinds = (TLS_ALPN, HTTP) if answers_http else (TLS_ALPN,)
        self._account = self._account_key()
        self._in_use: dict[str, Certificate] = {}
        self._orders: dict[str, asyncio.Task[ssl.SSLContext]] = {}
        self._failures = Failures()
        self._renewing: asyncio.TimerHandle | None = None
        self._renew_not_before: dict[str, float] = {}
        self._stopped = False

    def _account_key(self) -> Key:
        pem = self.store.get(ACCOUNT_KEY)
        if pem is not None:
            return key_from_pem(pem)
        key = new_key()
        self.store.put(ACCOUNT_KEY, key_to_pem(key))
        return key

    def context_for(self, hello: ClientHello) -> ssl.SSLContext | asyncio.Future[ssl.SSLContext]:
        """Return the context of the host or of its challenge.

        Returns a future while the certificate is being obtained. Raises `ClientHelloRejected`.
        """
        try:
            host = self.hosts.normalize(hello.server_name or self._default_name)
        except HostRefused as refused:
            raise ClientHelloRejected(str(refused)) from None
        if hello.protocols == (CHALLENGE_PROTOCOL.encode(),):
            return self._challenge_context(host)
        held = self._in_use.get(host)
        return held.context if held is not None else self._find_or_order(host)

    def stop(self) -> None:
        """Cancel pending orders and renewals."""
        self._stopped = True
        if self._renewing is not None:
            self._renewing.cancel()
        for order in self._orders.values():
            order.cancel()

    def _challenge_context(self, host: str) -> ssl.SSLContext:
        pem = self.store.get(token_certificate(host))
        if pem is None:
            raise ClientHelloRejected(f'no challenge is being met for "{host}"')
        try:
            return challenge_context(pem)
        except (TLSError, ValueError) as error:
            raise ClientHelloRejected(str(error)) from None

    def _find_or_order(self, host: str) -> ssl.SSLContext | asyncio.Future[ssl.SSLContext]:
        order = self._orders.get(host)
        if order is not None:
            return order
        stored = self._stored(host)
        if stored is not None:
            self._use(host, stored)
            return stored.context
        reason = self._failures.refusal(host, time.monotonic())
        if reason is None and len(self._orders) >= MAX_ORDERS:
            reason = "too many certificates are being obtained"
        if reason is not None:
            raise ClientHelloRejected(reason)
        return self._begin(host)

    def _begin(self, host: str) -> asyncio.Task[ssl.SSLContext]:
        order = asyncio.get_running_loop().create_task(self._obtain(host))
        self._orders[host] = order
        order.add_done_callback(lambda done: self._on_finished(host, done))
        return order

    def _on_finished(self, host: str, order: asyncio.Task[ssl.SSLContext]) -> None:
        del self._orders[host]
        if not order.cancelled():
            order.exception()  # mark the exception as retrieved: waiters get it, if any are left

    def _stored(self, host: str) -> Certificate | None:
        pem = self.store.get(host)
        if pem is None:
            return None
        try:
            return open_certificate(pem, host, time.time())
        except UnusableCertificate as unusable:
            log.info("stored certificate of %s is left aside: %s", host, unusable)
            return None

    async def _obtain(self, host: str) -> ssl.SSLContext:
        """Obtain a certificate, unless another server has stored one meanwhile.

        Raises `ClientHelloRejected`.
        """
        async with self.store.lock(host):
            stored = self._stored(host)
            if stored is not None and stored.renew_at > time.time():
                self._use(host, stored)
                return stored.context
            return await self._order(host)

    async def _order(self, host: str) -> ssl.SSLContext:
        log.info("obtaining a certificate for %s", host)
        key = new_key()
        try:
            chain = await self._authority.issue(
                self._account, host, signing_request(key, host), self._kinds, self._solve
            )
            pem = key_to_pem(key) + chain
            obtained = open_certificate(pem, host, time.time())
        except (AuthorityError, UnusableCertificate) as error:
            retry_after = error.retry_after if isinstance(error, AuthorityError) else 0.0
            pause = self._failures.add(host, str(error), time.monotonic(), retry_after)
            log.error("no certificate for %s: %s; the next attempt is made in %d s at the earliest", host, error, pause)
            raise ClientHelloRejected(str(error)) from error
        self.store.put(host, pem)
        self._failures.clear(host)
        self._use(host, obtained)
        log.info("obtained a certificate for %s", host)
        return obtained.context

    @contextmanager
    def _solve(self, challenge: Challenge) -> Iterator[None]:
        if challenge.kind == TLS_ALPN:
            stored_name = token_certificate(challenge.name)
            content = challenge_certificate(challenge.name, challenge.key_authorization)
        else:
            stored_name, content = http_token(challenge.token), challenge.key_authorization.encode()
        self.store.put(stored_name, content)
        try:
            yield
        finally:
            self.store.delete(stored_name)

    def _use(self, host: str, certificate: Certificate) -> None:
        self._in_use[host] = certificate
        self._renew_not_before.pop(host, None)
        self._wait_for_renewals()

    # Renewal.

    def _due(self, host: str) -> float:
        return max(self._in_use[host].renew_at, self._renew_not_before.get(host, 0.0))

    def _wait_for_renewals(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
        if self._stopped:
            return
        nearest = min(map(self._due, self._in_use)) - time.time()
        delay = min(max(nearest, 0.1), MAX_SLEEP)
        self._renewing = asyncio.get_running_loop().call_later(delay, self._renew_what_is_due)

    def _renew_what_is_due(self) -> None:
        now = time.time()
        for host in [host for host in self._in_use if self._due(host) <= now]:
            stored = self._stored(host)
            if stored is not None and stored.renew_at > now:  # another server has renewed it
                self._use(host, stored)
                continue
            self._renew_not_before[host] = now + random.uniform(*RENEWAL_PAUSE)
            if host not in self._orders:
                self._begin(host)
        self._wait_for_renewals()
