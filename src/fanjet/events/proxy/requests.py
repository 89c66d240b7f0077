"""What backends are asked (06 §3, §5 to §12), the same in JSON and in Protobuf.

What has its zero value is left out, but for `user` where it stands without default. Payloads are the client's bytes, or
Base64 where that is configured.
"""

from typing import Final

from msgspec import Raw, Struct

NO_PAYLOAD: Final = Raw()
"""Absent: `msgspec` leaves out what is this very object."""


class Request(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all requests about a client say. `encoding` is `json`, or `binary` where payloads are Base64."""

    client: str
    transport: str
    protocol: str
    encoding: str


class UserRequest(Request, frozen=True, kw_only=True, omit_defaults=True):
    """What is said about a client that has connected."""

    user: str
    meta: Raw = NO_PAYLOAD
    labels: dict[str, str] = {}


class ConnectRequest(Request, frozen=True, kw_only=True, omit_defaults=True):
    """06 §5."""

    data: Raw = NO_PAYLOAD
    b64data: str = ""
    name: str = ""
    version: str = ""
    channels: list[str] = []


class RefreshRequest(UserRequest, frozen=True, kw_only=True, omit_defaults=True):
    """06 §6."""


class SubscribeRequest(UserRequest, frozen=True, kw_only=True, omit_defaults=True):
    """06 §7."""

    channel: str
    data: Raw = NO_PAYLOAD
    b64data: str = ""


class PublishRequest(UserRequest, frozen=True, kw_only=True, omit_defaults=True):
    """06 §8."""

    channel: str
    data: Raw = NO_PAYLOAD
    b64data: str = ""


class SubRefreshRequest(UserRequest, frozen=True, kw_only=True, omit_defaults=True):
    """06 §10."""

    channel: str


class RPCRequest(UserRequest, frozen=True, kw_only=True, omit_defaults=True):
    """06 §11."""

    method: str = ""
    data: Raw = NO_PAYLOAD
    b64data: str = ""
