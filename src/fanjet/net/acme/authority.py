"""An ACME client for a certificate authority (RFC 8555)."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from .keys import base64url, key_authorization, public_jwk, signed

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractContextManager

    from aiohttp import ClientResponse

    from .keys import Key

REQUEST_SECONDS: Final = 30.0
ORDER_SECONDS: Final = 300.0
"""Timeout of one order, validation included."""

POLL_SECONDS: Final = (0.25, 10.0)
"""First and longest pause between polls of an order; it doubles."""

MAX_NONCE_ATTEMPTS: Final = 5
_SIGNED: Final = {"Content-Type": "application/jose+json"}
MAX_RESPONSE_BYTES: Final = 1 << 20
"""Limit of a response body."""


class AuthorityError(Exception):
    """No certificate was issued; the text says why."""

    def __init__(self, text: str, retry_after: float = 0.0) -> None:
        """`retry_after`: seconds during which the authority accepts no further requests."""
        super().__init__(text)
        self.retry_after = retry_after


class _ValidationError(AuthorityError):
    """The authority could not validate the host; another challenge type may succeed."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge of the authority for a host."""

    kind: str
    name: str
    """The host."""

    token: str
    key_authorization: str
    """Proof that the account requested the challenge."""


Solve: TypeAlias = "Callable[[Challenge], AbstractContextManager[None]]"
"""Makes the response to a challenge available while the context is active."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority."""

    directory_url: str
    email: str = ""
    tls: ssl.SSLContext | None = None
    """The SSL context for its API; None: the system's certificate authorities."""

    async def issue(self, account: Key, name: str, request: bytes, kinds: Sequence[str], solve: Solve) -> bytes:
        """Return a certificate chain in PEM for host `name` and a signing request (DER).

        `kinds`: the challenge types that `solve` supports, tried in order. Agrees to the authority's terms. Must run in
        a task. Raises `AuthorityError`.
        """
        try:
            async with asyncio.timeout(ORDER_SECONDS), self._open_session(account) as account_session:
                return await account_session.issue(name, request, kinds, solve)
        except TimeoutError:
            raise AuthorityError("the authority did not finish in time") from None
        except (ClientError, OSError, ValueError, KeyError, TypeError) as error:
            raise AuthorityError(f"{type(error).__name__}: {error}") from error

    @asynccontextmanager
    async def _open_session(self, account: Key) -> AsyncIterator[_AccountSession]:
        connector = TCPConnector(ssl=self.tls or True)
        timeout = ClientTimeout(total=REQUEST_SECONDS)
        headers = {"User-Agent": "fanjet"}
        async with ClientSession(
            connector=connector, timeout=timeout, headers=headers, cookie_jar=DummyCookieJar()
        ) as session:
            account_session = _AccountSession(session, account)
            await account_session.begin(self.directory_url, self.email)
            yield account_session


class _AccountSession:
    """The signed requests of one account."""

    def __init__(self, session: ClientSession, account: Key) -> None:
        self._session = session
        self._account = account
        self._identity: dict[str, object] = {"jwk": public_jwk(account)}
        self._directory: dict[str, str] = {}
        self._nonce = ""

    async def begin(self, directory_url: str, email: str) -> None:
        """Fetch the directory and log in to the account, which is created if needed."""
        async with self._session.get(directory_url) as response:
            self._directory = (await _read_response(response)).json()
        account: dict[str, object] = {"termsOfServiceAgreed": True}
        if email:
            account["contact"] = [f"mailto:{email}"]
        answer = await self._post(self._directory["newAccount"], account)
        self._identity = {"kid": answer.location}

    async def issue(self, name: str, request: bytes, kinds: Sequence[str], solve: Solve) -> bytes:
        """See `Authority.issue`."""
        for kind in kinds[:-1]:
            try:
                return await self._issue(name, request, kind, solve)
            except _ValidationError:
                continue
        return await self._issue(name, request, kinds[-1], solve)

    async def _issue(self, name: str, request: bytes, kind: str, solve: Solve) -> bytes:
        order = await self._post(self._directory["newOrder"], {"identifiers": [{"type": "dns", "value": name}]})
        url = order.location
        for authorization in order.json()["authorizations"]:
            await self._authorize(authorization, name, kind, solve)
        ready = await self._poll(url, ("pending",))
        if ready["status"] == "ready":
            await self._post(ready["finalize"], {"csr": base64url(request)})
            ready = await self._poll(url, ("ready", "processing"))
        if ready["status"] != "valid":
            raise AuthorityError(f"the order is {ready['status']}{_problem_of(ready)}")
        return (await self._post(ready["certificate"], None)).body

    async def _authorize(self, url: str, name: str, kind: str, solve: Solve) -> None:
        authorization = (await self._post(url, None)).json()
        if authorization["status"] == "valid":
            return
        offered = [each for each in authorization["challenges"] if each["type"] == kind]
        if not offered:
            raise _ValidationError(f"the authority offers no {kind} challenge for {name}")
        token = offered[0]["token"]
        with solve(Challenge(kind, name, token, key_authorization(self._account, token))):
            await self._post(offered[0]["url"], {})
            authorization = await self._poll(url, ("pending",))
        if authorization["status"] != "valid":
            problems = (_problem_of(each) for each in authorization["challenges"])
            raise _ValidationError(f"{kind} validation of {name} failed{next(filter(None, problems), '')}")

    async def _poll(self, url: str, passing: Sequence[str]) -> dict[str, Any]:
        """Poll a resource until it has left the `passing` states."""
        pause, longest = POLL_SECONDS
        while True:
            answer = await self._post(url, None)
            resource: dict[str, Any] = answer.json()
            if resource["status"] not in passing:
                return resource
            await asyncio.sleep(max(pause, answer.retry_after))
            pause = min(pause * 2, longest)

    async def _post(self, url: str, payload: object) -> _Response:
        for attempt in range(1, MAX_NONCE_ATTEMPTS + 1):
            header = {**self._identity, "nonce": await self._take_nonce(), "url": url}
            body = signed(self._account, header, payload)
            async with self._session.post(
                url, data=body, headers={"Content-Type": "application/jose+json"}
            ) as response:
                self._nonce = response.headers.get("Replay-Nonce", "")
                try:
                    return await _read_response(response)
                except _BadNonceError:
                    if attempt == MAX_NONCE_ATTEMPTS:
                        raise
        raise AssertionError("unreachable")

    async def _take_nonce(self) -> str:
        nonce, self._nonce = self._nonce, ""
        if not nonce:
            async with self._session.head(self._directory["newNonce"]) as response:
                nonce = response.headers["Replay-Nonce"]
        return nonce


@dataclass(frozen=True, slots=True)
class _Response:
    body: bytes
    location: str
    retry_after: float

    def json(self) -> dict[str, Any]:
        """The decoded object. Raises `ValueError`."""
        decoded = json.loads(self.body)
        if not isinstance(decoded, dict):
            raise ValueError("the authority answered with something unexpected")
        return decoded


class _BadNonceError(AuthorityError):
    """The authority rejected the nonce and sent a new one."""


async def _read_response(response: ClientResponse) -> _Response:
    body = await response.content.read(MAX_RESPONSE_BYTES)
    while not response.content.at_eof() and len(body) < MAX_RESPONSE_BYTES:
        body += await response.content.read(MAX_RESPONSE_BYTES - len(body))
    retry_after = _retry_after(response.headers.get("Retry-After", ""))
    if response.status >= 400:
        raise _refusal(response.status, body, retry_after)
    return _Response(body, response.headers.get("Location", ""), retry_after)


def _refusal(status: int, body: bytes, retry_after: float) -> AuthorityError:
    try:
        problem = json.loads(body)
        kind, text = str(problem["type"]), str(problem.get("detail", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return AuthorityError(f"the authority answered with status {status}", retry_after)
    if kind.endswith(":badNonce"):
        return _BadNonceError(text)
    return AuthorityError(f"{kind}: {text}", retry_after)


def _problem_of(resource: dict[str, Any]) -> str:
    problem = resource.get("error")
    return f": {problem.get('type')}: {problem.get('detail')}" if isinstance(problem, dict) else ""


def _retry_after(value: str) -> float:
    """Parse a `Retry-After` header, which is seconds or a date."""
    if value.isdecimal():
        return float(value)
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return 0.0
