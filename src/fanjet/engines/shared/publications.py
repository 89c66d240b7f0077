"""Publications as their publisher has them: what the memory broker makes of the same publish (07 §2.3)."""

from __future__ import annotations

from math import floor
from time import time
from typing import TYPE_CHECKING

from fanjet.protocol.publication import Publication

if TYPE_CHECKING:
    from fanjet.engines.interfaces import PublishOptions


def publication_at(data: bytes, options: PublishOptions, offset: int = 0, epoch: str = "") -> Publication:
    """What is published now, at a place in a stream or in none. The first of a stream tells its epoch (01 §7.1)."""
    return Publication(
        data,
        offset,
        options.info,
        options.tags,
        floor(time() * 1000),
        "",
        False,
        0,
        epoch if offset == 1 else "",
        options.version,
        options.is_json,
    )
