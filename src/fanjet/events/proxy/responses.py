"""Responses of backends (06 §4.1, §5 to §12), the same in JSON and in Protobuf.

Fields of results are as written; module `results` interprets them.
"""

from typing import Annotated

from msgspec import Meta, Raw

from fanjet.events.answer import Override
from fanjet.protocol.capability import Capability
from fanjet.protocol.json_encoding.document import Document
from fanjet.protocol.messages import FilterNode, Int64, UInt32

from .requests import NO_PAYLOAD

UInt64 = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""64 bits unsigned. `msgspec` supports no larger bound; the lenient decoder reads larger values."""


class Error(Document, frozen=True):
    """The error in the reply to the client's command."""

    code: UInt32 = 0
    message: str = ""
    temporary: bool = False


class Disconnect(Document, frozen=True):
    """The disconnect of the client's connection."""

    code: UInt32 = 0
    reason: str = ""


class Response(Document, frozen=True, kw_only=True):
    """Base class of responses.

    `disconnect` takes precedence over `error`, which takes precedence over a result. All may be absent.
    """

    error: Error | None = None
    disconnect: Disconnect | None = None


class SubscribeOptions(Document, frozen=True):
    """A server-side subscription in a connect result."""

    expire_at: Int64 = 0
    info: Raw = NO_PAYLOAD
    b64info: str = ""
    data: Raw = NO_PAYLOAD
    b64data: str = ""
    override: Override | None = None
    server_tags_filter: FilterNode | None = None
    cache_recover: bool = False


class ConnectResult(Document, frozen=True):
    """06 §5."""

    user: str = ""
    expire_at: Int64 = 0
    info: Raw = NO_PAYLOAD
    b64info: str = ""
    data: Raw = NO_PAYLOAD
    b64data: str = ""
    channels: list[str] = []
    subs: dict[str, SubscribeOptions] = {}
    meta: Raw = NO_PAYLOAD
    caps: list[Capability] = []
    labels: dict[str, str] = {}


class ConnectResponse(Response, frozen=True, kw_only=True):
    """06 §5."""

    result: ConnectResult | None = None


class RefreshResult(Document, frozen=True):
    """06 §6."""

    expired: bool = False
    expire_at: Int64 = 0
    info: Raw = NO_PAYLOAD
    b64info: str = ""
    meta: Raw = NO_PAYLOAD
    caps: list[Capability] = []


class RefreshResponse(Response, frozen=True, kw_only=True):
    """06 §6."""

    result: RefreshResult | None = None


class SubscribeResult(Document, frozen=True):
    """06 §7."""

    expire_at: Int64 = 0
    info: Raw = NO_PAYLOAD
    b64info: str = ""
    data: Raw = NO_PAYLOAD
    b64data: str = ""
    override: Override | None = None
    allow: list[str] = []
    server_tags_filter: FilterNode | None = None


class SubscribeResponse(Response, frozen=True, kw_only=True):
    """06 §7."""

    result: SubscribeResult | None = None


class PublishResult(Document, frozen=True):
    """06 §8."""

    data: Raw = NO_PAYLOAD
    b64data: str = ""
    skip_history: bool = False
    tags: dict[str, str] = {}
    idempotency_key: str = ""
    delta: bool = False
    version: UInt64 = 0
    version_epoch: str = ""


class PublishResponse(Response, frozen=True, kw_only=True):
    """06 §8."""

    result: PublishResult | None = None


class SubRefreshResult(Document, frozen=True):
    """06 §10."""

    expired: bool = False
    expire_at: Int64 = 0
    info: Raw = NO_PAYLOAD
    b64info: str = ""


class SubRefreshResponse(Response, frozen=True, kw_only=True):
    """06 §10."""

    result: SubRefreshResult | None = None


class RPCResult(Document, frozen=True):
    """06 §11."""

    data: Raw = NO_PAYLOAD
    b64data: str = ""


class RPCResponse(Response, frozen=True, kw_only=True):
    """06 §11."""

    result: RPCResult | None = None


class StreamPublication(Document, frozen=True):
    """06 §12."""

    data: Raw = NO_PAYLOAD
    tags: dict[str, str] = {}


class StreamSubscribeResponse(Document, frozen=True):
    """06 §12."""

    subscribe_response: SubscribeResponse | None = None
    publication: StreamPublication | None = None
