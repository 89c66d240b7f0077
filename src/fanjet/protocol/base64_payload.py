"""Base64 as payloads come in it."""

from binascii import a2b_base64


def decode_base64(text: str) -> bytes:
    """Standard alphabet with padding; line ends inside are skipped (05 §1). Raises ValueError."""
    return a2b_base64(text.replace("\r", "").replace("\n", "").encode(), strict_mode=True)
