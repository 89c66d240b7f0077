"""Publish options, combined from request and namespace (05 §7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Raw, Struct

from fanjet.channels.data_format import data_fits
from fanjet.channels.subscription import is_stream
from fanjet.engines.interfaces import PublishOptions

from .errors import BadRequest
from .requests import PublicationRequest

if TYPE_CHECKING:
    from fanjet.config.tree.channel import ChannelOptions


def publish_options(namespace: ChannelOptions, request: PublicationRequest, data: bytes) -> PublishOptions:
    """Return the options to publish `data`.

    Raises `BadRequest` if the namespace forbids it.
    """
    rules = _rules_cache.get(id(namespace)) or _read(namespace)
    if not (data and rules.accepts_any) and not (rules.is_stream and data_fits(rules.data_format, data)):
        raise BadRequest
    if (
        request.skip_history
        or request.delta
        or request.tags
        or request.idempotency_key
        or request.version
        or request.version_epoch
        or request.b64data
        or type(request.data) is not Raw
    ):
        return _merge(namespace, request)
    return rules.default_options


class _NamespaceRules(Struct, frozen=True, eq=False):
    """Publishing rules of one namespace, computed once."""

    namespace: ChannelOptions
    is_stream: bool
    data_format: str
    accepts_any: bool
    """Whether it accepts any data that is not empty."""
    default_options: PublishOptions
    """Options of requests that set only channel and JSON data."""


_MAX_CACHED: Final = 1000
_rules_cache: Final[dict[int, _NamespaceRules]] = {}
"""Keyed by identity: hashing forty options costs more than reading them. The rules keep their namespace alive."""


def _read(namespace: ChannelOptions) -> _NamespaceRules:
    if len(_rules_cache) >= _MAX_CACHED:  # every reload leaves unused entries
        _rules_cache.clear()
    stream, data_format = is_stream(namespace), namespace.publication_data_format
    accepts_any = stream and data_format in ("", "binary")
    rules = _NamespaceRules(
        namespace, stream, data_format, accepts_any, default_options=_merge(namespace, PublicationRequest())
    )
    _rules_cache[id(namespace)] = rules
    return rules


def _merge(namespace: ChannelOptions, request: PublicationRequest) -> PublishOptions:
    keep_history = not request.skip_history
    return PublishOptions(
        history_size=namespace.history_size if keep_history else 0,
        history_ttl=int(namespace.history_ttl) if keep_history else 0,
        history_meta_ttl=int(namespace.history_meta_ttl),
        tags=request.tags or None,
        idempotency_key=request.idempotency_key,
        use_delta=request.delta or namespace.delta_publish,
        version=request.version,
        version_epoch=request.version_epoch,
        is_json=type(request.data) is Raw and not request.b64data,  # see `requests`
    )
