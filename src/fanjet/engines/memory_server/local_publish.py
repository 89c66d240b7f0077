"""Publications made by their publisher: what the memory broker makes of the same publish (07 §2.3)."""

from __future__ import annotations

from math import floor
from time import time
from typing import TYPE_CHECKING

from fanjet.protocol.publication import Publication

if TYPE_CHECKING:
    from fanjet.engines.interfaces import PublishOptions


def can_be_numbered(options: PublishOptions) -> bool:
    """Whether a publication in a stream depends on nothing but the one before being there."""
    return not (options.version or options.idempotency_key or options.use_delta)


def publication_now(data: bytes, options: PublishOptions, offset: int = 0) -> Publication:
    """What is published now, with this offset, after the first, or in no stream."""
    now = floor(time() * 1000)
    return Publication(
        data, offset, options.info, options.tags, now, "", False, 0, "", options.version, options.is_json
    )
