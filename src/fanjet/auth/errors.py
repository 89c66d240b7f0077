"""Why a token was refused. Which code that becomes depends on the command (03 §6.4)."""


class TokenInvalid(Exception):  # noqa: N818 (says what was found, like the protocol's codes)
    """Malformed, wrongly signed, or not for this purpose. The text is for the log, never for the client."""


class TokenExpired(Exception):  # noqa: N818
    """Correct, but too late, or too early. Of a subscription token it says what it was for (01 FIX 13)."""

    def __init__(self, *, channel: str = "", user: str = "", client: str = "") -> None:
        super().__init__("token expired")
        self.channel = channel
        self.user = user
        self.client = client
