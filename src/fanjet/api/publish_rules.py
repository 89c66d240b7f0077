"""What a namespace says about publishing (05 §7), and how to publish by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from fanjet.channels.data_format import data_fits
from fanjet.channels.subscription import is_stream
from fanjet.engines.interfaces import PublishOptions

from .errors import BadRequest
from .requests import Publishing

if TYPE_CHECKING:
    from fanjet.config.tree.channel import ChannelOptions

_MAX_KEPT: Final = 1000


class PublishRules(Struct, frozen=True, eq=False):
    """The options of one namespace, read once."""

    namespace: ChannelOptions
    is_stream: bool
    data_format: str
    plain: PublishOptions
    """For requests that say nothing but channel and data."""

    def options_for(self, request: Publishing, data: bytes) -> PublishOptions:
        """How to publish `data`. Raises `BadRequest` if that cannot be published here."""
        if not self.is_stream or not data_fits(self.data_format, data):
            raise BadRequest
        if (
            request.skip_history
            or request.delta
            or request.tags
            or request.idempotency_key
            or request.version
            or request.version_epoch
        ):
            return _options(self.namespace, request)
        return self.plain


def rules_of(namespace: ChannelOptions) -> PublishRules:
    """The rules for the channels with these options."""
    rules = _rules.get(id(namespace))
    return _read(namespace) if rules is None else rules


_rules: Final[dict[int, PublishRules]] = {}
"""By identity, as hashing forty options costs more than reading them. The rules keep alive what they were read from."""


def _read(namespace: ChannelOptions) -> PublishRules:
    if len(_rules) >= _MAX_KEPT:  # every reload leaves some behind
        _rules.clear()
    rules = PublishRules(
        namespace, is_stream(namespace), namespace.publication_data_format, _options(namespace, Publishing())
    )
    _rules[id(namespace)] = rules
    return rules


def _options(namespace: ChannelOptions, request: Publishing) -> PublishOptions:
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
    )
