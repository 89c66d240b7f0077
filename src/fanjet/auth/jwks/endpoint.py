"""The URL, or URL template, of a key set (03 §6.3)."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit

from fanjet.auth.errors import TokenInvalid, TokenSettingsError

_placeholder: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_control: Final = re.compile(r"[\x00-\x1f\x7f]")
_host: Final = re.compile(r"[^\s\"<>\\^`{|}]*")
_password: Final = re.compile(r"(//[^/?#@:]*):[^/?#@]*@")
_bad_escape: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Endpoint:
    """A URL with placeholders `{{name}}`.

    They stand for the values of named groups found in a token. `key`: its key in the configuration. Raises
    `TokenSettingsError` if the URL is invalid.
    """

    def __init__(self, template: str, key: str) -> None:
        self._template = template
        self.placeholders: frozenset[str] = frozenset(_placeholder.findall(template))
        example = _placeholder.sub("x", template)
        if "{{" in example:
            raise TokenSettingsError(key, "error creating JWK manager: a placeholder does not end with }}")
        try:
            scheme, _ = _scheme_and_path(example)
        except ValueError:
            raise TokenSettingsError(key, "error creating JWK manager: jwks: invalid url value or format") from None
        if scheme not in {"http", "https"}:
            reason = f"endpoint must have http:// or https:// scheme, got: {without_password(template)}"
            raise TokenSettingsError(key, f"error creating JWK manager: {reason}")

    def resolve(self, groups: Mapping[str, str]) -> str:
        """Return the URL with the values inserted unescaped; unknown names become empty.

        The values come from unverified tokens. Raises `TokenInvalid` if the result is no clean URL.
        """
        url = self._template
        if self.placeholders:
            url = _placeholder.sub(lambda found: groups.get(found[1], ""), url)
        if not _has_clean_path(url):
            raise TokenInvalid("the address of the key set is invalid, or its path would have to be cleaned")
        return url


def without_password(url: str) -> str:
    """Return the URL with its password masked, for the log."""
    return _password.sub(r"\1:xxxxx@", url)


@lru_cache(maxsize=256)
def _has_clean_path(url: str) -> bool:
    """Return whether the path has no `.`, `..` or empty segment.

    Percent-encoded segments count like plain ones.
    """
    try:
        _, path = _scheme_and_path(url)
    except ValueError:
        return False
    return path in {"", "/"} or {"", ".", ".."}.isdisjoint(unquote(path).removeprefix("/").split("/"))


def _scheme_and_path(url: str) -> tuple[str, str]:
    """Return scheme and path of a URL. Raises ValueError if the URL is invalid."""
    parts = urlsplit(url)
    if _control.search(url) or not _host.fullmatch(parts.netloc) or _bad_escape.search(parts.path):
        raise ValueError(url)
    _ = parts.port  # raises ValueError for an invalid port
    return parts.scheme, parts.path
