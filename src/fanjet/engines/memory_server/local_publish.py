"""Publications that workers make without calling the engine.

They are equal to those of the memory broker (07 §2.3).
"""

from __future__ import annotations

from math import floor
from time import time
from typing import TYPE_CHECKING

from fanjet.protocol.publication import Publication

if TYPE_CHECKING:
    from fanjet.engines.interfaces import PublishOptions


def can_assign_offset(options: PublishOptions) -> bool:
    """Whether a worker can assign the offset.

    It can if nothing depends on the contents of the stream.
    """
    return not (options.version or options.idempotency_key or options.use_delta)


def make_publication(data: bytes, options: PublishOptions, offset: int = 0) -> Publication:
    """Make a publication with the current time.

    It has this offset in its stream, or is without a stream.
    """
    now = floor(time() * 1000)
    return Publication(
        data, offset, options.info, options.tags, now, "", False, 0, "", options.version, options.is_json
    )
