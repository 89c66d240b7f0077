"""Generates HMAC-signed tokens for development and tests (04 §7.7, §7.8)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanjet.config.tree.client import Client
    from fanjet.config.tree.token import Token


def subscription_settings(client: Client) -> Token:
    """Return the token settings in effect for subscription tokens."""
    return client.subscription_token if client.subscription_token.enabled else client.token


def claims(settings: Token, user: str, ttl: int) -> dict[str, object]:
    """Return the claims of a token issued now.

    It expires after `ttl` seconds, never if that is not positive.
    """
    now = int(time.time())
    result: dict[str, object] = {"sub": user} if user else {}
    if ttl > 0:
        result["exp"] = now + ttl
    result["iat"] = now
    if settings.user_id_claim:
        result[settings.user_id_claim] = user
    return result


def sign(secret: str, payload: dict[str, object]) -> str:
    """Return an HS256 token."""
    head = _base64url(b'{"alg":"HS256","typ":"JWT"}')
    body = _base64url(json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode())
    signature = hmac.digest(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256)
    return f"{head}.{body}.{_base64url(signature)}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
