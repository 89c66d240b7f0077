"""Regular expressions for issuer and audience (03 §6.4 step 2)."""

from typing import Any

import re2

from fanjet.config.tree.token import Token as TokenConfig
from fanjet.config.validation.channel_options import ANY_BYTE

from .errors import TokenInvalid, TokenSettingsError


class ClaimPatterns:
    """What `iss` and one entry of `aud` must match, anywhere inside. Raises `TokenSettingsError`."""

    def __init__(self, config: TokenConfig) -> None:
        self._audience = _compile(config.audience_regex, "audience")
        self._issuer = _compile(config.issuer_regex, "issuer")

    def match(self, issuer: str, audience: tuple[str, ...]) -> dict[str, str]:
        """What the named groups have found, nothing where a group has no part in the match. Raises `TokenInvalid`."""
        groups: dict[str, str] = {}
        if self._issuer is not None:
            groups |= _groups(self._issuer, (issuer,), "issuer not matched")
        if self._audience is not None:
            groups |= _groups(self._audience, audience, "audience not matched")
        return groups


def claim_patterns(config: TokenConfig) -> ClaimPatterns | None:
    """The patterns, if there are any. Raises `TokenSettingsError`."""
    return ClaimPatterns(config) if config.audience_regex or config.issuer_regex else None


def _groups(pattern: Any, texts: tuple[str, ...], mismatch: str) -> dict[str, str]:
    """The groups of the first text that matches."""
    for text in texts:
        match = pattern.search(text)
        if match is not None:
            return {name: found or "" for name, found in match.groupdict().items()}
    raise TokenInvalid(mismatch)


def _compile(pattern: str, claim: str) -> Any:
    """Compile as RE2; None for no pattern."""
    if not pattern:
        return None
    key = f"{claim}_regex"
    if ANY_BYTE.search(pattern):
        raise TokenSettingsError(key, f"error compiling {claim} regex: {pattern}: invalid escape sequence: \\C")
    quiet = re2.Options()
    quiet.log_errors = False
    try:
        return re2.compile(pattern, quiet)
    except re2.error as error:
        detail = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
        raise TokenSettingsError(key, f"error compiling {claim} regex: {pattern}: {detail}") from None
