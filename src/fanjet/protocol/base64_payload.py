"""Decoder of base64 payloads."""

from binascii import a2b_base64


def decode_base64(text: str) -> bytes:
    """Decode the standard alphabet with padding; line ends are skipped (05 §1).

    Raises ValueError.
    """
    return a2b_base64(text.replace("\r", "").replace("\n", "").encode(), strict_mode=True)
