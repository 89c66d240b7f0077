"""Connection and subscription tokens (03 §6)."""

from .claims import ServerSubscription
from .connection_token import ConnectionToken, ConnectionVerifier
from .errors import KeysUnavailable, PublicKeyError, TokenExpired, TokenInvalid, TokenSettingsError
from .sections import Sections, load_sections, startup_error_message
from .subscription_token import SubscriptionToken, SubscriptionVerifier
from .token_rules import TokenRules

__all__ = [
    "ConnectionToken",
    "ConnectionVerifier",
    "KeysUnavailable",
    "PublicKeyError",
    "Sections",
    "ServerSubscription",
    "SubscriptionToken",
    "SubscriptionVerifier",
    "TokenExpired",
    "TokenInvalid",
    "TokenRules",
    "TokenSettingsError",
    "load_sections",
    "startup_error_message",
]
