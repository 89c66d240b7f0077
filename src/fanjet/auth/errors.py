"""Errors of token verification and of its settings.

The code that a client gets for a refused token depends on the command (03 §6.4).
"""

from fanjet.protocol.codes import ERROR_INTERNAL, ReplyError


class TokenInvalid(Exception):  # noqa: N818 (says what was found, like the protocol's codes)
    """The token is malformed, wrongly signed, or for another purpose.

    The text is for the log, never for the client.
    """


class TokenExpired(Exception):  # noqa: N818
    """The token is genuine but expired, or not valid yet.

    `channel`, `user` and `client` are those of a subscription token (01 FIX 13).
    """

    def __init__(self, *, channel: str = "", user: str = "", client: str = "") -> None:
        super().__init__("token expired")
        self.channel = channel
        self.user = user
        self.client = client


class KeysUnavailable(ReplyError):  # noqa: N818
    """The token cannot be verified: its key cannot be fetched now (03 §15 item 7).

    Every command is answered with the temporary error 100.
    """

    def __init__(self) -> None:
        super().__init__(ERROR_INTERNAL)


class TokenSettingsError(Exception):
    """The token settings are invalid. `key` is the configuration key to correct."""

    kind = "token verifier"

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key

    def in_section(self, section: str) -> "TokenSettingsError":
        """Prefix the key with its section."""
        self.key = f"{section}.{self.key}"
        return self


class PublicKeyError(TokenSettingsError):
    """A configured public key cannot be parsed."""

    kind = "JWT verifier config"
