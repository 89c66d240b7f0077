"""Requests to backends (06 §3, §5 to §12), the same in JSON and in Protobuf.

Fields with their zero value are omitted, except fields without a default, such as `user`. Payloads are the client's
bytes, or Base64 if configured.
"""

from typing import Final

from msgspec import Raw, Struct

NO_PAYLOAD: Final = Raw()
"""An absent payload. `msgspec` omits a field that holds this object."""


class Request(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Fields of all requests. `encoding`: `json`, or `binary` for Base64 payloads."""

    client: str
    transport: str
    protocol: str
    encoding: str


class UserRequest(Request, frozen=True, kw_only=True, omit_defaults=True):
    """Fields of requests about a connected client."""

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
