"""How a request publishes into a channel, given what its namespace says (05 §7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Raw, Struct

from fanjet.channels.data_format import data_fits
from fanjet.channels.subscription import is_stream
from fanjet.engines.interfaces import PublishOptions

from .errors import BadRequest
from .requests import Publishing

if TYPE_CHECKING:
    from fanjet.config.tree.channel import ChannelOptions


def publish_options(namespace: ChannelOptions, request: Publishing, data: bytes) -> PublishOptions:
    """Return how to publish `data`. Raises `BadRequest` if that cannot be published in this namespace."""
    rules = _rules.get(id(namespace)) or _read(namespace)
    if not (data and rules.takes_any) and not (rules.is_stream and data_fits(rules.data_format, data)):
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
        return _combine(namespace, request)
    return rules.plain


class _Rules(Struct, frozen=True, eq=False):
    """What one namespace says, read once."""

    namespace: ChannelOptions
    is_stream: bool
    data_format: str
    takes_any: bool
    """Whether it takes whatever is not empty."""
    plain: PublishOptions
    """For requests that say nothing but channel and data, as JSON."""


_MAX_KEPT: Final = 1000
_rules: Final[dict[int, _Rules]] = {}
"""By identity, as hashing forty options costs more than reading them. The rules keep alive what they were read from."""


def _read(namespace: ChannelOptions) -> _Rules:
    if len(_rules) >= _MAX_KEPT:  # every reload leaves some behind
        _rules.clear()
    stream, data_format = is_stream(namespace), namespace.publication_data_format
    takes_any = stream and data_format in ("", "binary")
    rules = _Rules(namespace, stream, data_format, takes_any, plain=_combine(namespace, Publishing()))
    _rules[id(namespace)] = rules
    return rules


def _combine(namespace: ChannelOptions, request: Publishing) -> PublishOptions:
    keeps = not request.skip_history
    return PublishOptions(
        history_size=namespace.history_size if keeps else 0,
        history_ttl=int(namespace.history_ttl) if keeps else 0,
        history_meta_ttl=int(namespace.history_meta_ttl),
        tags=request.tags or None,
        idempotency_key=request.idempotency_key,
        use_delta=request.delta or namespace.delta_publish,
        version=request.version,
        version_epoch=request.version_epoch,
        is_json=type(request.data) is Raw and not request.b64data,  # see `requests`
    )
