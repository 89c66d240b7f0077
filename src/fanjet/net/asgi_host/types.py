"""The interface between servers and applications (https://asgi.readthedocs.io), as far as it has types."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class ProtocolMisuse(RuntimeError):  # noqa: N818 (says what has happened)
    """The application sent a message that does not fit here."""
