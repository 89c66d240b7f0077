"""Timeout of surveys made by API methods (05 §5)."""

from contextvars import ContextVar
from typing import Final

from fanjet.node.node import SURVEY_SECONDS

GRPC_SECONDS: Final = 10.0
"""Timeout when the client has set no deadline."""

survey_timeout: ContextVar[float] = ContextVar("patience", default=SURVEY_SECONDS)
"""Seconds. Set by the protocol layer in the context that executes the call."""
