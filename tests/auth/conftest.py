"""Tokens made by hand, so that wrong ones can be made too."""

import base64
import hmac
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from fanjet.protocol.codes import ERROR_UNKNOWN_CHANNEL, ReplyError

T = TypeVar("T")

NOW = 1_700_000_000.0
SECRET = "secret"


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


@dataclass
class Forge:
    """Makes tokens. Claims and header may be given as bytes, to stand in the token as they are."""

    now: float = NOW

    def clock(self) -> float:
        return self.now

    def __call__(
        self,
        claims: dict | bytes,
        *,
        header: dict | bytes | None = None,
        secret: str = SECRET,
        hash_name: str = "sha256",
    ) -> str:
        if header is None:
            header = {"alg": f"HS{hash_name[3:]}", "typ": "JWT"}
        parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
        return self.signed(".".join(encoded(part) for part in parts), secret, hash_name)

    @staticmethod
    def signed(text: str, secret: str = SECRET, hash_name: str = "sha256") -> str:
        """Append the signature of header and claims."""
        return f"{text}.{encoded(hmac.digest(secret.encode(), text.encode(), hash_name))}"


@pytest.fixture
def forge() -> Forge:
    return Forge()


@pytest.fixture
def at_once() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Step a coroutine that has nothing to wait for, and return its result."""

    def run(coroutine: Coroutine[Any, Any, T]) -> T:
        with pytest.raises(StopIteration) as finished:
            coroutine.send(None)
        result: T = finished.value.value
        return result

    return run


@pytest.fixture
def known_channels() -> Callable[[str], None]:
    """Resolve what does not start with `nope:`."""

    def resolve(channel: str) -> None:
        if channel.startswith("nope:"):
            raise ReplyError(ERROR_UNKNOWN_CHANNEL)

    return resolve
