"""Where a key set is published: an address, or a template for addresses (03 §6.3)."""

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
    """A URL, in which `{{name}}` stands for what the group of that name has found in a token.

    Raises `TokenSettingsError` when it is none; `key` is where it stands in the configuration.
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
        """Insert the values as they are; a name that no group has stands for nothing.

        Values come from tokens that nobody has verified yet. Raises `TokenInvalid` when they lead elsewhere.
        """
        url = self._template
        if self.placeholders:
            url = _placeholder.sub(lambda found: groups.get(found[1], ""), url)
        if not _has_clean_path(url):
            raise TokenInvalid("the address of the key set is invalid, or its path would have to be cleaned")
        return url


def without_password(url: str) -> str:
    """The URL for the log."""
    return _password.sub(r"\1:xxxxx@", url)


@lru_cache(maxsize=256)
def _has_clean_path(url: str) -> bool:
    """Whether there is no `.`, `..` or empty segment in the path, written out or percent-encoded."""
    try:
        _, path = _scheme_and_path(url)
    except ValueError:
        return False
    return path in {"", "/"} or {"", ".", ".."}.isdisjoint(unquote(path).removeprefix("/").split("/"))


def _scheme_and_path(url: str) -> tuple[str, str]:
    """Split a URL. Raises ValueError when there is something in it that cannot be."""
    parts = urlsplit(url)
    if _control.search(url) or not _host.fullmatch(parts.netloc) or _bad_escape.search(parts.path):
        raise ValueError(url)
    _ = parts.port  # raises for what is none
    return parts.scheme, parts.path
