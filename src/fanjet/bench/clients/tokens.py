"""Connection tokens for the clients of the benchmark (HS256)."""

import base64
import hashlib
import hmac

import msgspec


def connection_token(user: str, secret: str) -> str:
    """Return a token for `user` that never expires."""
    head = _segment(b'{"alg":"HS256","typ":"JWT"}')
    body = _segment(msgspec.json.encode({"sub": user}))
    signature = hmac.digest(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256)
    return f"{head}.{body}.{_segment(signature)}"


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
