"""Exceptions that handlers raise to reject a client's request."""

from fanjet.protocol.codes import ERROR_PERMISSION_DENIED, Disconnect, Disconnected, Error, ReplyError


class ClientError(ReplyError):
    """The client gets an error reply and stays connected, unless it was connecting.

    Codes below 400 are the protocol's own. `temporary`: SDKs retry automatically.
    """

    def __init__(self, code: int, message: str, *, temporary: bool = False) -> None:
        super().__init__(Error(code, message, temporary))


class PermissionDenied(ClientError):  # noqa: N818 (says what has happened)
    """The client may not do this (103)."""

    def __init__(self) -> None:
        super().__init__(ERROR_PERMISSION_DENIED.code, ERROR_PERMISSION_DENIED.message)


class DisconnectClient(Disconnected):
    """The client is disconnected.

    SDKs reconnect after codes from 3000 to 3499 and 4000 to 4499, and do not after 3500 to 3999 and 4500 to 4999. Codes
    from 4000 are free for applications.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(Disconnect(code, reason))
