"""Matches issuer and audience against regular expressions (03 §6.4 step 2)."""

from typing import Any

import re2

from fanjet.config.tree.token import Token as TokenConfig
from fanjet.config.validation.channel_options import ANY_BYTE

from .errors import TokenInvalid, TokenSettingsError


class ClaimPatterns:
    """Patterns that `iss` and one entry of `aud` must contain.

    Raises `TokenSettingsError`.
    """

    def __init__(self, config: TokenConfig) -> None:
        self._audience = _compile(config.audience_regex, "audience")
        self._issuer = _compile(config.issuer_regex, "issuer")

    def match(self, issuer: str, audience: tuple[str, ...]) -> dict[str, str]:
        """Return the values of the named groups, empty for groups that did not take part.

        Raises `TokenInvalid`.
        """
        groups: dict[str, str] = {}
        if self._issuer is not None:
            groups |= _groups(self._issuer, (issuer,), "issuer not matched")
        if self._audience is not None:
            groups |= _groups(self._audience, audience, "audience not matched")
        return groups


def claim_patterns(config: TokenConfig) -> ClaimPatterns | None:
    """Compile the patterns; None if none is configured. Raises `TokenSettingsError`."""
    return ClaimPatterns(config) if config.audience_regex or config.issuer_regex else None


def _groups(pattern: Any, texts: tuple[str, ...], mismatch: str) -> dict[str, str]:
    """Return the named groups of the first matching text.

    Raises `TokenInvalid` if none matches.
    """
    for text in texts:
        match = pattern.search(text)
        if match is not None:
            return {name: found or "" for name, found in match.groupdict().items()}
    raise TokenInvalid(mismatch)


def _compile(pattern: str, claim: str) -> Any:
    """Compile a pattern as RE2; None for an empty one."""
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
