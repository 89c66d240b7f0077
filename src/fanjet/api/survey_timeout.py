"""How long the caller of a method waits for other nodes to answer (05 §5)."""

from contextvars import ContextVar
from typing import Final

from fanjet.node.node import SURVEY_SECONDS

GRPC_SECONDS: Final = 10.0
"""Where the client has set no deadline."""

survey_timeout: ContextVar[float] = ContextVar("patience", default=SURVEY_SECONDS)
"""Seconds. Set by whoever took the call, in the context in which it is carried out."""
