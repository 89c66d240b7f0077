"""JSON web tokens as a backend would sign them."""

import base64
import hashlib
import hmac
import json
from typing import Any

SECRET = "a secret of the tests, longer than thirty-two bytes"


def token(user: str = "", *, secret: str = SECRET, **claims: Any) -> str:
    """Return an HS256 token for `user`; claims are added as they are, such as `exp` or `channel`."""
    head = encoded({"alg": "HS256", "typ": "JWT"})
    body = encoded({"sub": user, **claims})
    signature = hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{base64url(signature)}"


def encoded(value: dict[str, Any]) -> str:
    """Return a value as one part of a token."""
    return base64url(json.dumps(value).encode())


def base64url(data: bytes) -> str:
    """Encode without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
