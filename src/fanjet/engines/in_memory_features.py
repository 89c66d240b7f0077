"""Which configured features keep their state in the memory of this program."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanjet.config import Config

MEMORY = "memory"


def uses_memory_engine(config: Config) -> bool:
    """Whether the broker or the presence manager is in memory.

    If so, workers need a process that shares it.
    """
    types = {
        section.type if section.enabled else config.engine.type for section in (config.broker, config.presence_manager)
    }
    return MEMORY in types
