"""Why a token was refused, which code that becomes depends on the command (03 §6.4); or why none can be verified."""

from fanjet.protocol.codes import ERROR_INTERNAL, ReplyError


class TokenInvalid(Exception):  # noqa: N818 (says what was found, like the protocol's codes)
    """Malformed, wrongly signed, or not for this purpose. The text is for the log, never for the client."""


class TokenExpired(Exception):  # noqa: N818
    """Correct, but too late, or too early. Of a subscription token it says what it was for (01 FIX 13)."""

    def __init__(self, *, channel: str = "", user: str = "", client: str = "") -> None:
        super().__init__("token expired")
        self.channel = channel
        self.user = user
        self.client = client


class KeysUnavailable(ReplyError):  # noqa: N818
    """Nobody knows whether the token is right: the keys are somewhere else, and cannot be had just now (03 §15 item 7).

    Whatever the command, its answer is the temporary error 100.
    """

    def __init__(self) -> None:
        super().__init__(ERROR_INTERNAL)


class TokenSettingsError(Exception):
    """Tokens cannot be verified with these settings. `key` is the one to look at."""

    kind = "token verifier"

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key

    def in_section(self, section: str) -> "TokenSettingsError":
        """Say in which section the key is."""
        self.key = f"{section}.{self.key}"
        return self


class PublicKeyError(TokenSettingsError):
    """A key is not one."""

    kind = "JWT verifier config"
