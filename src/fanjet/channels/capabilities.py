"""Capabilities: rights from tokens beyond the namespace's options (03 §14.1).

Pure.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

import re2

from fanjet.protocol.capability import Capability

SUBSCRIBE: Final = "sub"
PUBLISH: Final = "pub"
HISTORY: Final = "hst"
PRESENCE: Final = "prs"

_Matcher = Callable[[str], bool]


def grants(capabilities: Iterable[Capability], operation: str, channel: str) -> bool:
    """Whether an entry allows the operation on the channel.

    Entries only add rights, so their order is irrelevant.
    """
    return any(operation in one.allow and _covers(one, channel) for one in capabilities)


def _covers(capability: Capability, channel: str) -> bool:
    if not capability.match:
        return channel in capability.channels
    return any(_matcher(capability.match, pattern)(channel) for pattern in capability.channels)


@lru_cache(maxsize=1024)
def _matcher(match: str, pattern: str) -> _Matcher:
    """Compile a pattern, with a cache.

    An application's users have many patterns in common.
    """
    translate = _TRANSLATIONS.get(match)
    if translate is None:
        return _match_nothing
    quiet = re2.Options()
    quiet.log_errors = False
    try:
        search: Any = re2.compile(translate(pattern), quiet).search
    except re2.error:
        return _match_nothing
    return lambda channel: search(channel) is not None


def _match_nothing(_: str) -> bool:
    """Matches nothing, for unknown match types and invalid expressions."""
    return False


def _wildcard(pattern: str) -> str:
    return _anchored(pattern, {"*": ".*", "?": "."})


def _doublestar(pattern: str) -> str:
    return _anchored(pattern, {"**": ".*", "*": "[^/]*", "?": "[^/]"})


def _anchored(pattern: str, wildcards: dict[str, str]) -> str:
    """Translate to an expression for the whole channel.

    Wildcards are replaced, everything else is literal.
    """
    pieces = []
    while pattern:
        found = next((wildcard for wildcard in wildcards if pattern.startswith(wildcard)), None)
        pieces.append(re2.escape(pattern[0]) if found is None else wildcards[found])
        pattern = pattern[len(found or pattern[0]) :]
    return rf"(?s)\A{''.join(pieces)}\z"


_TRANSLATIONS: Final[dict[str, Callable[[str], str]]] = {
    "wildcard": _wildcard,
    "doublestar": _doublestar,
    "regex": lambda expression: expression,
}
