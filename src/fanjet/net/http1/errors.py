"""What is answered to requests that do not even reach an endpoint."""


class BadRequest(Exception):  # noqa: N818 (the status line's words)
    """The request cannot be served: answer `status`, then close. `detail` is appended to the text of the answer."""

    def __init__(self, status: int = 400, detail: str = "") -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
