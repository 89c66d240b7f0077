"""Publications in no stream, made by their publisher: what the memory broker makes of the same publish (07 §2.3)."""

from __future__ import annotations

from math import floor
from time import time
from typing import TYPE_CHECKING

from fanjet.protocol.publication import Publication

if TYPE_CHECKING:
    from fanjet.engines.interfaces import PublishOptions


def publication_now(data: bytes, options: PublishOptions) -> Publication:
    """What is published now, in no stream."""
    return Publication(
        data, 0, options.info, options.tags, floor(time() * 1000), "", False, 0, "", options.version, options.is_json
    )
