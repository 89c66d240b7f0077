"""Token rules from the sections of the configuration (04 §5.12)."""

from typing import NamedTuple

from fanjet.config.startup_notices import Notice
from fanjet.config.tree.client import Client
from fanjet.config.tree.token import Token

from .errors import PublicKeyError, TokenSettingsError
from .token_rules import TokenRules


class Sections(NamedTuple):
    """Rules for both kinds of tokens.

    They are shared unless subscription tokens have a separate section.
    """

    connection: TokenRules
    subscription: TokenRules
    notices: list[Notice]


def load_sections(client: Client, *, separate: bool) -> Sections:
    """Build the rules; `separate` uses `client.subscription_token`.

    Raises `TokenSettingsError` with the full key.
    """
    connection = _load_rules(client, client.token, "client.token")
    if not separate:
        return Sections(connection, connection, connection.notices)
    subscription = _load_rules(client, client.subscription_token, "client.subscription_token")
    separator = Notice("info", "initializing separate verifier for subscription tokens")
    return Sections(connection, subscription, [*connection.notices, separator, *subscription.notices])


def startup_error_message(error: TokenSettingsError) -> str:
    """Return the log message for a startup that this error prevents."""
    of_subscriptions = isinstance(error, PublicKeyError) and error.key.startswith("client.subscription_token")
    return f"error creating {'subscription ' if of_subscriptions else ''}{error.kind}"


def _load_rules(client: Client, section: Token, section_key: str) -> TokenRules:
    try:
        return TokenRules(section, skip_signature=client.insecure_skip_token_signature_verify)
    except TokenSettingsError as error:
        raise error.in_section(section_key) from None
