"""What the configuration has this program keep by itself, rather than in Redis or the like."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanjet.config import Config

MEMORY = "memory"


def uses_memory_engine(config: Config) -> bool:
    """Whether there is anything that workers could only share through a process that has it in memory."""
    kept = {
        section.type if section.enabled else config.engine.type for section in (config.broker, config.presence_manager)
    }
    return MEMORY in kept
