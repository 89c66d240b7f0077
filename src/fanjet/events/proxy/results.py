"""Interpretation of backend responses (06 §5 to §12).

Functions raise ValueError for invalid Base64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.events.answer import (
    ConnectAnswer,
    Grant,
    PublishAnswer,
    RefreshAnswer,
    SubRefreshAnswer,
    SubscribeAnswer,
)

from .payloads import payload_of

if TYPE_CHECKING:
    from .responses import (
        ConnectResponse,
        ConnectResult,
        PublishResponse,
        RefreshResponse,
        RPCResponse,
        SubRefreshResponse,
        SubscribeOptions,
        SubscribeResponse,
    )

_ALLOWED = SubscribeAnswer()
_UNCHANGED = PublishAnswer()


def connect_answer(response: ConnectResponse) -> ConnectAnswer | None:
    """06 §5. None if the response has no result."""
    result = response.result
    if result is None:
        return None
    return ConnectAnswer(
        user=result.user,
        expire_at=result.expire_at,
        info=payload_of(result.info, result.b64info),
        data=payload_of(result.data, result.b64data),
        meta=bytes(result.meta),
        subs=_grants(result) if result.channels or result.subs else {},
        caps=result.caps,
        labels=result.labels or None,
    )


def _grants(result: ConnectResult) -> dict[str, Grant]:
    subs = {channel: Grant() for channel in result.channels}
    subs.update((channel, _grant(options)) for channel, options in result.subs.items())
    return subs


def _grant(options: SubscribeOptions) -> Grant:
    """Convert subscribe options; `expire_at` is ignored (06 P7). Does not raise."""
    try:
        info = payload_of(options.info, options.b64info)
        data = payload_of(options.data, options.b64data)
    except ValueError as error:
        return Grant(unreadable=str(error))
    return Grant(
        info=info,
        data=data,
        override=options.override,
        server_tags_filter=options.server_tags_filter,
        cache_recover=options.cache_recover,
    )


def refresh_answer(response: RefreshResponse) -> RefreshAnswer | None:
    """06 §6. None ends the connection. Errors and disconnects are ignored."""
    result = response.result
    if result is None or result.expired:
        return None
    return RefreshAnswer(
        expire_at=result.expire_at,
        info=payload_of(result.info, result.b64info),
        meta=bytes(result.meta),
        caps=result.caps,
    )


def subscribe_answer(response: SubscribeResponse) -> SubscribeAnswer:
    """06 §7."""
    result = response.result
    if result is None:
        return _ALLOWED
    return SubscribeAnswer(
        expire_at=result.expire_at,
        info=payload_of(result.info, result.b64info),
        data=payload_of(result.data, result.b64data),
        override=result.override,
        allow=result.allow,
        server_tags_filter=result.server_tags_filter,
    )


def publish_answer(response: PublishResponse) -> PublishAnswer:
    """06 §8. Only here the plain field takes precedence over the Base64 one (P3)."""
    result = response.result
    if result is None:
        return _UNCHANGED
    data = bytes(result.data) or payload_of(result.data, result.b64data)
    return PublishAnswer(
        data=data or None,
        skip_history=result.skip_history,
        tags=result.tags or None,
        idempotency_key=result.idempotency_key,
        delta=result.delta,
        version=result.version,
        version_epoch=result.version_epoch,
    )


def sub_refresh_answer(response: SubRefreshResponse) -> SubRefreshAnswer | None:
    """06 §10. None ends the subscription. Errors and disconnects are ignored."""
    result = response.result
    if result is None or result.expired:
        return None
    return SubRefreshAnswer(expire_at=result.expire_at, info=payload_of(result.info, result.b64info))


def rpc_answer(response: RPCResponse) -> bytes:
    """06 §11."""
    return b"" if response.result is None else payload_of(response.result.data, response.result.b64data)
