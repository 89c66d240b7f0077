"""Errors of requests that do not reach an endpoint."""


class BadRequest(Exception):  # noqa: N818 (the status line's words)
    """The request is invalid: respond with `status`, then close.

    `detail` is appended to the response text.
    """

    def __init__(self, status: int = 400, detail: str = "") -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
